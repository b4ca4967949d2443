// Settings, and small questions.
import {$} from './dom.js';
import {local} from './store.js';

const NUMBERS = ['temperature', 'top_p', 'top_k', 'max_tokens', 'seed'];

// What was chosen; an absent number is the server's own default.
export const settings = {system: '', ...local.get('settings', {})};

let secret = '';
try { secret = sessionStorage.getItem('key') ?? ''; } catch { /* no storage */ }
secret ||= local.get('key', '');
export const apiKey = () => secret;

export function setApiKey(key, keep) {
  secret = key;
  try { sessionStorage.setItem('key', key); } catch { /* until the page is closed */ }
  local.set('key', keep && key ? key : null);
}

// The numbers as fields of a request.
export const sampling = () => Object.fromEntries(NUMBERS.filter((name) => settings[name] !== undefined).map((name) => [name, settings[name]]));

export function setUpSettings(onchange) {
  const dialog = $('settings');
  $('open-settings').addEventListener('click', () => {
    $('s-system').value = settings.system;
    for (const name of NUMBERS) $(`s-${name}`).value = settings[name] ?? '';
    $('s-key').value = secret;
    dialog.showModal();
  });
  const save = () => {
    for (const name of NUMBERS) if (!$(`s-${name}`).reportValidity()) return;
    settings.system = $('s-system').value.trim();
    for (const name of NUMBERS) {
      const value = $(`s-${name}`).valueAsNumber;
      if (Number.isFinite(value)) settings[name] = value;
      else delete settings[name];
    }
    local.set('settings', settings);
    if ($('s-key').value !== secret) setApiKey($('s-key').value, local.get('key', '') !== '');
    dialog.close();
    onchange();
  };
  $('settings-save').addEventListener('click', save);
  $('settings-cancel').addEventListener('click', () => dialog.close());
  $('settings-reset').addEventListener('click', () => {
    $('s-system').value = '';
    for (const name of NUMBERS) $(`s-${name}`).value = '';
  });
  dialog.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && event.target.tagName === 'INPUT') { event.preventDefault(); save(); }
  });
}

// Asks for one line. Resolves to {value, keep}, or null when it was cancelled.
export function ask({title, text = '', label, value = '', password = false, ok = 'OK'}) {
  const dialog = $('ask');
  $('ask-title').textContent = title;
  $('ask-text').textContent = text;
  $('ask-text').hidden = !text;
  $('ask-label').textContent = label;
  $('ask-value').type = password ? 'password' : 'text';
  $('ask-value').value = value;
  $('ask-keep').checked = false;
  $('ask-keep-row').hidden = !password;
  $('ask-ok').textContent = ok;
  dialog.returnValue = '';
  dialog.showModal();
  $('ask-value').select();
  return new Promise((resolve) => {
    const accept = () => dialog.close('ok');
    const cancel = () => dialog.close('');
    const enter = (event) => { if (event.key === 'Enter') { event.preventDefault(); accept(); } };
    $('ask-ok').addEventListener('click', accept);
    $('ask-cancel').addEventListener('click', cancel);
    $('ask-value').addEventListener('keydown', enter);
    dialog.addEventListener('close', () => {
      $('ask-ok').removeEventListener('click', accept);
      $('ask-cancel').removeEventListener('click', cancel);
      $('ask-value').removeEventListener('keydown', enter);
      resolve(dialog.returnValue === 'ok' ? {value: $('ask-value').value.trim(), keep: $('ask-keep').checked} : null);
    }, {once: true});
  });
}

// Light and dark: the system's until the switch is used.
export function setUpTheme() {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const draw = () => {
    $('theme').setAttribute('aria-pressed', String(isDark()));
    $('theme').querySelector('use').setAttribute('href', isDark() ? '#i-sun' : '#i-moon');
  };
  $('theme').addEventListener('click', () => {
    const theme = isDark() ? 'light' : 'dark';
    document.documentElement.dataset.theme = theme;
    try { localStorage.setItem('theme', theme); } catch { /* for this time */ }
    draw();
  });
  system.addEventListener('change', draw);
  draw();
}
