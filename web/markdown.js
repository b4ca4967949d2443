// Markdown to elements, never to HTML: what a model writes cannot become a script, a style or a request. Covers what models
// write: headings, lists, tables, quotes, code, emphasis, links. A picture becomes a link to it; nothing is loaded.
import {copyText, h, icon} from './dom.js';

const FENCE = /^( {0,3})(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])(\s+)(.*)$/;
const QUOTE = /^ {0,3}>/;
const DELIMITERS = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

const isBlank = (line) => line.trim() === '';
const opens = (line) => FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);

// Where each block of `text` begins and ends, from `from` on; `from` is a block's beginning.
export function blocks(text, from = 0) {
  const found = [];
  let at = from;
  const lineAt = (start) => {
    const end = text.indexOf('\n', start);
    return end < 0 ? [text.slice(start), text.length] : [text.slice(start, end), end + 1];
  };
  while (at < text.length) {
    const start = at;
    let [line, next] = lineAt(at);
    if (isBlank(line)) { at = next; continue; }
    let type = 'paragraph', match;
    if ((match = FENCE.exec(line))) {
      type = 'code';
      const close = new RegExp(`^ {0,3}${match[2][0]}{${match[2].length},}\\s*$`);
      while (next < text.length) {
        [line, next] = lineAt(next);
        if (close.test(line)) break;
      }
    } else if (HEADING.test(line)) {
      type = 'heading';
    } else if (RULE.test(line)) {
      type = 'rule';
    } else if (QUOTE.test(line)) {
      type = 'quote';
      while (next < text.length) {
        const [more, after] = lineAt(next);
        if (isBlank(more) || (opens(more) && !QUOTE.test(more))) break;
        next = after;
      }
    } else if (ITEM.test(line)) {
      type = 'list';
      while (next < text.length) {  // blank lines belong to it when an item or an indented line follows
        let [more, after] = lineAt(next);
        let end = after;
        const loose = isBlank(more);
        while (isBlank(more) && after < text.length) { [more, after] = lineAt(after); end = after; }
        if (isBlank(more)) break;
        if (RULE.test(more) || (!ITEM.test(more) && !/^\s{2,}/.test(more) && (loose || opens(more)))) break;
        next = end;
      }
    } else {
      const [second] = next < text.length ? lineAt(next) : [''];
      if (line.includes('|') && second.includes('|') && DELIMITERS.test(second)) {
        type = 'table';
        while (next < text.length) {
          const [more, after] = lineAt(next);
          if (!more.includes('|')) break;
          next = after;
        }
      } else {
        while (next < text.length) {
          const [more, after] = lineAt(next);
          if (isBlank(more) || opens(more)) break;
          next = after;
        }
      }
    }
    found.push({type, start, end: next, source: text.slice(start, next)});
    at = next;
  }
  return found;
}

const SAFE = /^(?:https?:\/\/|mailto:)/i;

function link(url, children) {
  if (!SAFE.test(url)) return h('span', {}, ...children);
  return h('a', {href: url, target: '_blank', rel: 'noopener noreferrer nofollow', title: url}, ...children);
}

// Emphasis, code, links and line breaks of one run of text.
export function inline(text, depth = 0) {
  const out = [];
  let plain = '', at = 0;
  const missing = new Set();  // closing marks that do not come: looked for once
  const flush = () => { if (plain) out.push(plain); plain = ''; };
  const put = (element, to) => { flush(); out.push(element); at = to; };
  const closing = (mark, from) => {
    if (missing.has(mark)) return -1;
    for (let end = text.indexOf(mark, from); end >= 0; end = text.indexOf(mark, end + 1)) {
      if (/\s/.test(text[end - 1]) || text[end - 1] === '\\') continue;
      if (mark.length === 1 && text[end + 1] === mark) { end++; continue; }  // a longer mark's
      if (mark[0] === '_' && /\w/.test(text[end + mark.length] ?? '')) continue;
      return end;
    }
    missing.add(mark);
    return -1;
  };
  while (at < text.length) {
    const c = text[at];
    if (c === '\\' && /[!-/:-@[-`{-~\n]/.test(text[at + 1] ?? '')) {
      if (text[at + 1] === '\n') put(h('br'), at + 2);
      else { plain += text[at + 1]; at += 2; }
    } else if (c === '\n') {
      plain = plain.trimEnd();
      put(h('br'), at + 1);
    } else if (c === '`') {
      const run = /^`+/.exec(text.slice(at, at + 64))[0];
      const end = missing.has(run) ? -1 : text.indexOf(run, at + run.length);
      if (end > 0) put(h('code', {}, text.slice(at + run.length, end).replace(/^ (.*) $/s, '$1')), end + run.length);
      else { missing.add(run); plain += run; at += run.length; }
    } else if ((c === '*' || c === '_' || (c === '~' && text[at + 1] === '~')) && depth < 12) {
      const mark = text[at + 1] === c ? c + c : c;
      const inWord = c === '_' && /\w/.test(text[at - 1] ?? '');
      const after = text[at + mark.length];
      const end = !inWord && after && !/\s/.test(after) ? closing(mark, at + mark.length + 1) : -1;
      if (end < 0) { plain += mark; at += mark.length; continue; }
      const tag = c === '~' ? 'del' : mark.length === 2 ? 'strong' : 'em';
      put(h(tag, {}, ...inline(text.slice(at + mark.length, end), depth + 1)), end + mark.length);
    } else if (c === '[' || (c === '!' && text[at + 1] === '[')) {
      const match = /^!?\[((?:[^[\]\\]|\\.){0,500})\]\(<?((?:[^()\s<>]|\([^()\s]*\)){1,2000})>?(?:\s+"[^"]*")?\)/.exec(text.slice(at, at + 3000));
      if (match && depth < 12) put(link(match[2], inline(match[1] || match[2], depth + 1)), at + match[0].length);
      else { plain += c; at++; }
    } else if (c === 'h' && /^https?:\/\//.test(text.slice(at, at + 8)) && !/\w/.test(text[at - 1] ?? '')) {
      const url = /^[^\s<>"`]+/.exec(text.slice(at, at + 2000))[0].replace(/[.,;:!?'*_)\]]+$/, '');
      put(link(url, [url]), at + url.length);
    } else {
      const stop = text.slice(at + 1).search(/[\\\n`*_~[!h]/);
      const to = stop < 0 ? text.length : at + 1 + stop;
      plain += text.slice(at, to);
      at = to;
    }
  }
  flush();
  return out;
}

function codeBlock(source) {
  const [first, ...rest] = source.split('\n');
  const match = FENCE.exec(first);
  if (rest.length && rest.at(-1) === '') rest.pop();
  if (rest.length && new RegExp(`^ {0,3}${match[2][0]}{${match[2].length},}\\s*$`).test(rest.at(-1))) rest.pop();
  const indent = match[1].length;
  return {language: match[3].trim().split(/\s/)[0], text: rest.map((line) => line.replace(new RegExp(`^ {0,${indent}}`), '')).join('\n')};
}

// Fills an element that codeElement made.
function fillCode(element, source) {
  const {language, text} = codeBlock(source);
  element.querySelector('code').textContent = text;
  element.querySelector('.code-bar span').textContent = language || 'text';
  element.querySelector('pre').setAttribute('aria-label', language ? `Code, ${language}` : 'Code');
  return element;
}

function codeElement(source) {
  const code = h('code');
  const copy = h('button', {type: 'button', class: 'icon copy-code', 'aria-label': 'Copy code', title: 'Copy code',
    onclick: () => copyText(code.textContent, copy)}, icon('copy'));
  return fillCode(h('div', {class: 'code'}, h('div', {class: 'code-bar'}, h('span'), copy), h('pre', {tabindex: '0', role: 'group'}, code)), source);
}

function listItem(text, depth) {
  const task = /^\[([ xX])\]\s+(.*)$/s.exec(text);
  const children = elements(task ? task[2] : text, depth + 1);
  const tight = children.length && children[0].tagName === 'P' ? [...children[0].childNodes, ...children.slice(1)] : children;
  return h('li', {class: task && 'task'}, task && h('span', {role: 'img', 'aria-label': task[1] === ' ' ? 'not done' : 'done'},
    task[1] === ' ' ? '☐ ' : '☑ '), ...tight);
}

// What each item of a list says, without its mark and indentation.
function listItems(source) {
  const lines = source.replace(/\n+$/, '').split('\n');
  const indent = ITEM.exec(lines[0])[1].length;
  const items = [];
  let outdent;
  for (const line of lines) {
    const match = ITEM.exec(line);
    if (match && match[1].length <= indent + 1) {
      items.push([match[4]]);
      outdent = new RegExp(`^\\s{0,${match[1].length + match[2].length + 1}}`);
    } else {
      items.at(-1).push(line.replace(outdent, ''));
    }
  }
  return items.map((item) => item.join('\n'));
}

// Fills an element that listElement made: items that stand are left alone.
function fillList(element, source, depth) {
  const items = listItems(source);
  items.forEach((text, i) => {
    if (element.items[i] === text) return;
    const item = listItem(text, depth);
    if (i < element.items.length) element.children[i].replaceWith(item);
    else element.append(item);
  });
  element.items = items;
  return element;
}

function listElement(source, depth) {
  const [, , mark] = ITEM.exec(source.split('\n', 1)[0]);
  const start = parseInt(mark, 10);
  const list = /\d/.test(mark) ? h('ol', {start: start !== 1 && start}) : h('ul');
  list.items = [];
  return fillList(list, source, depth);
}

function cells(line) {
  const trimmed = line.trim().replace(/^\|/, '').replace(/(?<!\\)\|$/, '');
  return trimmed.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function tableElement(source) {
  const [head, delimiters, ...rows] = source.replace(/\n+$/, '').split('\n');
  const sides = cells(delimiters).map((cell) => (cell.endsWith(':') ? (cell.startsWith(':') ? 'center' : 'right') : undefined));
  const row = (line, tag, count) => h('tr', {}, ...Array.from({length: count}, (_, i) =>
    h(tag, {class: sides[i], scope: tag === 'th' && 'col'}, ...inline(cells(line)[i] ?? ''))));
  const count = cells(head).length;
  return h('div', {class: 'table', tabindex: '0', role: 'group', 'aria-label': 'Table'}, h('table', {},
    h('thead', {}, row(head, 'th', count)), h('tbody', {}, ...rows.map((line) => row(line, 'td', count)))));
}

export function element({type, source}, depth = 0) {
  switch (type) {
    case 'code': return codeElement(source);
    case 'heading': {
      const match = HEADING.exec(source.replace(/\n$/, ''));
      return h(`h${Math.min(6, match[1].length + 2)}`, {}, ...inline(match[2]));  // below the page's own headings
    }
    case 'rule': return h('hr');
    case 'quote': return h('blockquote', {}, ...elements(source.replace(/^ {0,3}> ?/gm, ''), depth + 1));
    case 'list': return listElement(source, depth);
    case 'table': return tableElement(source);
    default: return h('p', {}, ...inline(source.trim()));
  }
}

function elements(text, depth) {
  if (depth > 8) return [h('p', {}, text)];
  return blocks(text).map((block) => element(block, depth));
}

// Shows a text that grows. Blocks that stand are left alone, so that a selection or a scrolled table stays as it is.
export class MarkdownView {
  constructor(root) {
    this.root = root;
    this.shown = [];  // {type, start, end, source, element}
    this.text = '';
  }

  show(text) {
    let keep = 0;
    if (text.startsWith(this.text)) keep = Math.max(0, this.shown.length - 2);  // what follows may change the last two
    const from = keep ? this.shown[keep].start : 0;
    const found = blocks(text, from);
    found.forEach((block, i) => {
      const old = this.shown[keep + i];
      if (old && old.type === block.type && old.source === block.source) {
        block.element = old.element;
      } else if (old && old.type === 'code' && block.type === 'code' && block.source.startsWith(old.source)) {
        block.element = fillCode(old.element, block.source);
      } else if (old && old.type === 'list' && block.type === 'list' && block.source.startsWith(old.source)) {
        block.element = fillList(old.element, block.source, 0);
      } else {
        block.element = element(block);
        if (old) old.element.replaceWith(block.element);
      }
      if (!old) this.root.append(block.element);
    });
    for (const old of this.shown.slice(keep + found.length)) old.element.remove();
    this.shown = [...this.shown.slice(0, keep), ...found];
    this.text = text;
  }
}
