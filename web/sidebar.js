// The list of conversations, and their way in and out as JSON.
import {$, download, h, iconButton, newId, toast} from './dom.js';
import {dataUrl, kindOf} from './media.js';
import * as store from './store.js';

// "Today", "Yesterday", "Last 7 days", or a month.
function age(time) {
  const day = (date) => Math.floor((date.getTime() - date.getTimezoneOffset() * 60000) / 86400000);
  const days = day(new Date()) - day(new Date(time));
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days <= 7) return 'Last 7 days';
  return new Date(time).toLocaleDateString('en', {month: 'long', year: 'numeric'});
}

// act: {open(conversation), remove(conversation)}
export function drawList(conversations, current, isRunning, act) {
  const items = [];
  let heading = '';
  for (const conversation of [...conversations].sort((a, b) => b.updated - a.updated)) {
    if (age(conversation.updated) !== heading) {
      heading = age(conversation.updated);
      items.push(h('li', {class: 'age'}, h('h2', {}, heading)));
    }
    items.push(h('li', {class: 'item'},
      h('button', {type: 'button', class: 'name', 'aria-current': conversation === current && 'page', onclick: () => act.open(conversation)},
        isRunning(conversation) ? h('span', {class: 'pulse', role: 'img', 'aria-label': 'Answering: '}) : '', conversation.title),
      iconButton('trash', `Delete ${conversation.title}`, () => act.remove(conversation))));
  }
  $('conversations').replaceChildren(...items);
}

// The side of the page that slides in on a narrow window.
export function setUpSidebar() {
  const narrow = matchMedia('(max-width: 800px)');
  const open = (yes) => {
    document.body.classList.toggle('sidebar-open', yes);
    $('show-sidebar').setAttribute('aria-expanded', String(yes || !narrow.matches));
    $('sidebar').inert = narrow.matches && !yes;
    $('main').inert = narrow.matches && yes;
    $('shade').hidden = !(narrow.matches && yes);
    if (!narrow.matches) return;
    if (yes) $('hide-sidebar').focus();
  };
  const close = () => { open(false); if (narrow.matches) $('show-sidebar').focus(); };
  $('show-sidebar').addEventListener('click', () => open(true));
  $('hide-sidebar').addEventListener('click', close);
  $('shade').addEventListener('click', close);
  $('sidebar').addEventListener('keydown', (event) => { if (event.key === 'Escape' && narrow.matches) { event.stopPropagation(); close(); } });
  narrow.addEventListener('change', () => open(false));
  open(false);
  return () => open(false);
}

// Conversations with their files as data: URLs, in one document that importAll reads.
export async function exportAll(conversations, name) {
  const out = [];
  for (const conversation of [...conversations].sort((a, b) => a.created - b.created)) {
    const messages = [];
    for (const {role, text, files = [], finish, stats} of conversation.messages) {
      const kept = [];
      for (const item of files) {
        const blob = await store.file(item.id);
        kept.push({name: item.name, kind: item.kind, type: item.type, data: blob ? await dataUrl(blob) : null});
      }
      messages.push({role, text, ...(kept.length ? {files: kept} : {}), ...(finish ? {finish} : {}), ...(stats ? {stats} : {})});
    }
    out.push({title: conversation.title, created: conversation.created, updated: conversation.updated, messages});
  }
  const json = JSON.stringify({format: 'gemma3n conversations', version: 1, conversations: out}, null, 1);
  download(`${name.replace(/[^\p{L}\p{N} _-]+/gu, '').trim().slice(0, 60) || 'conversation'}.json`, new Blob([json], {type: 'application/json'}));
}

async function blobOf(url, type) {  // without fetch: the page's policy lets it ask its own server alone
  const bytes = atob(url.slice(url.indexOf(',') + 1));
  return new Blob([Uint8Array.from(bytes, (c) => c.charCodeAt(0))], {type});
}

// The conversations of a file, saved anew. Says what is wrong and returns none where it is something else.
export async function importAll(file) {
  const added = [];
  try {
    const {format, conversations} = JSON.parse(await file.text());
    if (format !== 'gemma3n conversations' || !Array.isArray(conversations)) throw new Error('no conversations');
    for (const {title, created, updated, messages} of conversations) {
      const conversation = {id: newId(), title: String(title), created: Number(created) || Date.now(), updated: Number(updated) || Date.now(), messages: []};
      for (const {role, text, files = [], finish, stats} of messages) {
        const message = {id: newId(), role: role === 'user' ? 'user' : 'assistant', text: String(text ?? ''), state: 'done', files: []};
        if (finish) message.finish = String(finish);
        if (stats) message.stats = String(stats);
        for (const {name, type, data} of files) {
          if (typeof data !== 'string') continue;
          const blob = await blobOf(data, String(type));
          const item = {id: newId(), kind: kindOf({type: String(type), name: String(name)}) ?? 'text', name: String(name), type: String(type), size: blob.size};
          await store.saveFile(item.id, blob);
          message.files.push(item);
        }
        conversation.messages.push(message);
      }
      await store.saveConversation(conversation);
      added.push(conversation);
    }
    toast(`Imported ${added.length} conversation${added.length === 1 ? '' : 's'}.`);
  } catch {
    toast(`“${file.name}” is not a file that this page exported.`, {bad: true});
  }
  return added;
}
