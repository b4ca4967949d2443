// Elements without HTML: text stays text, whatever a model or a file's name says.

export const $ = (id) => document.getElementById(id);

// h('button', {class: 'icon', onclick: f, 'aria-label': 'Copy'}, 'text', child, ...)
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'src') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(space, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

export const iconButton = (name, label, onclick, extra = '') =>
  h('button', {type: 'button', class: `icon ${extra}`.trim(), 'aria-label': label, title: label, onclick}, icon(name));

// A short message at the edge, with one thing to do about it.
export function toast(text, {action, onaction, seconds = 7, bad = false} = {}) {
  const close = () => box.remove();
  const box = h('div', {class: bad ? 'toast bad' : 'toast'}, h('span', {}, text),
    action && h('button', {type: 'button', class: 'quiet', onclick: () => { close(); onaction(); }}, action),
    iconButton('close', 'Dismiss', close));
  $('toasts').append(box);
  setTimeout(close, seconds * 1000);
}

// To screen readers alone.
export function announce(text) {
  $('announce').textContent = '';
  setTimeout(() => { $('announce').textContent = text; }, 50);
}

export async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // no clipboard over plain HTTP: the old way
    const area = h('textarea', {class: 'hidden', 'aria-hidden': 'true', value: text});
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (!done) return toast('The browser did not let the page copy.', {bad: true});
  }
  button.replaceChildren(icon('check'));
  button.classList.add('done');
  announce('Copied');
  setTimeout(() => { button.replaceChildren(icon('copy')); button.classList.remove('done'); }, 1500);
}

export function download(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = h('a', {href: url, download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

export const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, '0')).join('');

export function bytesText(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
