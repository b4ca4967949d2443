// The messages of one conversation as elements. Answers that grow are drawn once a frame at most.
import {copyText, h, icon, iconButton} from './dom.js';
import {MarkdownView} from './markdown.js';
import {preview} from './media.js';
import {file} from './store.js';

const number = (value) => value.toLocaleString('en');

// "42 tokens · 118 tokens/s · first after 0.2 s · prompt of 512, 480 of them cached"
export function statsText({usage, first, seconds}) {
  if (!usage) return '';
  const parts = [`${number(usage.completion_tokens)} token${usage.completion_tokens === 1 ? '' : 's'}`];
  if (usage.completion_tokens > 1 && seconds > first + 0.02) parts.push(`${number(Math.round(10 * (usage.completion_tokens - 1) / (seconds - first)) / 10)} tokens/s`);
  if (first) parts.push(`first after ${first < 10 ? first.toFixed(2) : first.toFixed(0)} s`);
  const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
  parts.push(`prompt of ${number(usage.prompt_tokens)}${cached ? `, ${number(cached)} of them cached` : ''}`);
  return parts.join(' · ');
}

class UserView {
  constructor(message, act) {
    this.message = message;
    this.act = act;
    this.element = h('article', {class: 'message user', 'aria-label': 'You'});
    this.draw();
  }

  draw() {
    const {message, act} = this;
    const files = h('div', {class: 'files'});
    const copy = iconButton('copy', 'Copy message', () => copyText(message.text, copy));
    this.element.replaceChildren(
      message.files?.length ? files : '',
      message.text ? h('div', {class: 'bubble'}, message.text) : '',
      h('div', {class: 'actions'}, copy, iconButton('edit', 'Edit message', () => this.edit())));
    for (const item of message.files ?? []) {
      const place = h('div', {class: 'file'});
      files.append(place);
      file(item.id).then((blob) => place.append(preview(item, blob, act.show)));
    }
  }

  edit() {
    const area = h('textarea', {class: 'edit', 'aria-label': 'Edit message', rows: '3', value: this.message.text});
    const cancel = () => { this.draw(); this.element.querySelector('[aria-label="Edit message"]').focus(); };
    const send = () => this.act.resend(this.message, area.value);
    area.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') { event.stopPropagation(); cancel(); }
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
    });
    const box = h('div', {class: 'editor'}, area, h('div', {class: 'row'}, h('span', {class: 'note'}, 'What follows is answered anew.'), h('span', {class: 'grow'}),
      h('button', {type: 'button', class: 'quiet', onclick: cancel}, 'Cancel'),
      h('button', {type: 'button', class: 'solid', onclick: send}, 'Send')));
    (this.element.querySelector('.bubble') ?? this.element.querySelector('.actions')).replaceWith(box);
    this.element.querySelector('.actions')?.remove();
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  }

  update() {}
}

class AnswerView {
  constructor(message, act) {
    this.message = message;
    this.act = act;
    this.body = h('div', {class: 'text'});
    this.markdown = new MarkdownView(this.body);
    this.waiting = h('p', {class: 'waiting'}, h('span', {class: 'dots', 'aria-hidden': 'true'}, h('i'), h('i'), h('i')), this.since = h('span', {}, 'Reading'));
    this.end = h('div', {class: 'end'});
    // Live, it would be read aloud token by token: the page announces it when it is complete.
    this.element = h('article', {class: 'message answer', 'aria-label': 'Answer', 'aria-live': 'off'}, this.waiting, this.body, this.end);
    this.update();
  }

  turn(name, label, step, versions) {
    const button = iconButton(name, label, () => {
      this.act.turn(this.message, step);
      this.element.querySelector(`[aria-label="${label}"]:not(:disabled), .versions button:not(:disabled)`)?.focus();
    });
    const to = this.message.version + step;
    button.disabled = to < 0 || to >= versions;
    return button;
  }

  // last: regenerating is offered.
  update(last = this.last) {
    const {message, act} = this;
    this.last = last;
    const going = message.state === 'going';
    this.element.setAttribute('aria-busy', String(going));
    this.element.classList.toggle('going', going);
    this.element.classList.toggle('last', Boolean(last));
    this.waiting.hidden = !(going && !message.text);
    if (!this.waiting.hidden) this.since.textContent = message.waited >= 2 ? `Reading, ${message.waited} s` : 'Reading';
    this.body.hidden = !message.text;
    if (message.text !== this.markdown.text) this.markdown.show(message.text);
    const versions = message.versions?.length ?? 1;
    const end = `${message.state} ${last} ${message.version} ${versions}`;
    if (end === this.drawnEnd) return;
    this.drawnEnd = end;
    this.end.replaceChildren();
    if (going) return;
    if (message.error) {
      this.end.append(h('div', {class: 'error', role: 'alert'}, icon('warn'),
        h('div', {}, h('p', {}, message.error.text), message.error.detail ? h('p', {class: 'note'}, message.error.detail) : ''),
        last ? h('button', {type: 'button', class: 'quiet', onclick: () => act.again(message)}, 'Try again') : ''));
    } else if (message.finish === 'length') {
      this.end.append(h('p', {class: 'note'}, 'The answer ended at its limit of tokens.'));
    } else if (message.finish === 'stopped') {
      this.end.append(h('p', {class: 'note'}, message.text ? 'Stopped.' : 'Stopped before the first word.'));
    } else if (!message.text) {
      this.end.append(h('p', {class: 'note'}, 'The model ended without a word.'));
    }
    const copy = iconButton('copy', 'Copy answer', () => copyText(message.text, copy));
    this.end.append(h('div', {class: 'actions'}, message.text ? copy : '',
      last && !message.error ? iconButton('again', 'Regenerate answer', () => act.again(message)) : '',
      last && versions > 1 ? h('span', {class: 'versions', role: 'group', 'aria-label': 'Versions of the answer'},
        this.turn('left', 'Earlier answer', -1, versions), h('span', {}, `${message.version + 1} of ${versions}`), this.turn('right', 'Later answer', 1, versions)) : '',
      h('span', {class: 'stats'}, message.stats ?? '')));
  }
}

// act: {show(url, name), resend(message, text), again(message), turn(message, step)}
export class ConversationView {
  constructor(log, scroll, latest, act) {
    Object.assign(this, {log, scroll, latest, act, views: new Map(), dirty: new Set(), frame: 0});
    this.follows = true;
    this.top = 0;
    scroll.addEventListener('scroll', () => this.look(), {passive: true});
    new ResizeObserver(() => { if (this.follows) this.toEnd(); }).observe(log);
    latest.addEventListener('click', () => { this.follows = true; this.toEnd(); });
  }

  look() {
    const {scrollTop, clientHeight, scrollHeight} = this.scroll;
    const atEnd = scrollTop + clientHeight > scrollHeight - 60;
    // What grows (a picture that has loaded) moves the end away: only going up is the reader's wish.
    if (atEnd) this.follows = true;
    else if (scrollTop < this.top - 2) this.follows = false;
    this.top = scrollTop;
    this.latest.hidden = this.follows || atEnd;
  }

  toEnd() {
    this.scroll.scrollTop = this.top = this.scroll.scrollHeight;
    this.latest.hidden = true;
  }

  show(conversation) {
    this.views.clear();
    this.log.setAttribute('aria-live', 'off');  // old messages are not news
    this.log.replaceChildren();
    this.sync(conversation);
    requestAnimationFrame(() => {
      this.log.setAttribute('aria-live', 'polite');
      this.follows = true;
      if (conversation.messages.length) this.toEnd();
      else this.scroll.scrollTop = 0;
    });
  }

  // Adds and removes what the conversation has more and less.
  sync({messages}) {
    const kept = new Set(messages.map(({id}) => id));
    for (const [id, view] of this.views) {
      if (kept.has(id)) continue;
      view.element.remove();
      this.views.delete(id);
    }
    messages.forEach((message, i) => {
      const last = i === messages.length - 1;
      const old = this.views.get(message.id);
      if (old && old.message === message && (message.role !== 'user' || old.text === message.text)) return old.update(last);
      const view = message.role === 'user' ? new UserView(message, this.act) : new AnswerView(message, this.act);
      view.text = message.text;
      view.update(last);
      if (old) old.element.replaceWith(view.element);
      else this.log.append(view.element);
      this.views.set(message.id, view);
    });
    if (this.follows) this.toEnd();
  }

  // The message has changed: it is drawn with the next frame.
  touch(message) {
    const view = this.views.get(message.id);
    if (!view || view.message !== message) return;
    this.dirty.add(view);
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    for (const view of this.dirty) view.update();
    this.dirty.clear();
    if (this.follows) this.toEnd();
  }
}
