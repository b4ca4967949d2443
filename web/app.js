// The page: which conversation is looked at, and what its buttons do.
import * as answers from './answers.js';
import * as api from './api.js';
import {Composer} from './composer.js';
import {apiKey, ask, setApiKey, setUpSettings, setUpTheme} from './dialogs.js';
import {$, announce, h, newId, toast} from './dom.js';
import {forget} from './media.js';
import {drawList, exportAll, importAll, setUpSidebar} from './sidebar.js';
import * as store from './store.js';
import {ConversationView} from './view.js';

let conversations = [];
let current = null;  // null: a new one, kept from its first message on
let config = {};

const STARTERS = [
  ['image', 'What is in this picture?', 'with a picture of yours'],
  ['audio', 'Transcribe the speech.', 'with a recording or a sound file'],
  ['video', 'What happens in this video?', 'with a short video'],
  ['text', 'What is three plus four?', 'no file needed'],
];

function fail(error) {
  toast(error.message ?? String(error), {bad: true, seconds: 12});
}

function save(conversation) {
  store.saveConversation(conversation).catch(() => toast('The browser has no room left to keep this conversation. Export it, or delete others.', {bad: true}));
}

function show(url, name) {
  $('viewer-picture').src = url;
  $('viewer-picture').alt = name;
  $('viewer').showModal();
}

function draw() {
  $('title').textContent = current?.title ?? 'New conversation';
  document.title = current ? `${current.title} · gemma3n` : 'gemma3n';
  $('welcome').hidden = Boolean(current?.messages.length);
  $('export').disabled = $('rename').disabled = !current;
  $('export-all').disabled = !conversations.length;
  composer.setGoing(answers.isRunning(current));
  drawList(conversations, current, answers.isRunning, {open, remove});
}

function open(conversation) {
  current = conversation;
  store.local.set('current', conversation?.id ?? null);
  view.show(conversation ?? {messages: []});
  closeSidebar();
  draw();
  if (matchMedia('(pointer: fine)').matches) $('prompt').focus();
}

function remove(conversation) {
  answers.stop(conversation);
  conversations = conversations.filter((other) => other !== conversation);
  if (current === conversation) open(null);
  else draw();
  $('new').focus();
  // Gone from the browser when it can no longer be undone.
  const timer = setTimeout(() => {
    store.filesOf(conversation).forEach(({id}) => forget(id));
    store.removeConversation(conversation).catch(fail);
  }, 7000);
  gone.set(conversation, timer);
  toast('Conversation deleted.', {action: 'Undo', onaction: () => {
    clearTimeout(timer);
    gone.delete(conversation);
    conversations.push(conversation);
    open(conversation);
  }});
}
const gone = new Map();  // deleted a moment ago: conversation -> timer
addEventListener('pagehide', () => {
  for (const conversation of gone.keys()) store.removeConversation(conversation);
  if (current) store.saveConversation(current).catch(() => {});
});

async function answer(conversation) {
  let reply = conversation.messages.at(-1);
  if (reply?.role !== 'assistant') {
    reply = {id: newId(), role: 'assistant', text: ''};
    conversation.messages.push(reply);
  }
  conversation.updated = Date.now();
  const running = answers.run(conversation, reply, $('model').value, (message) => { if (conversation === current) view.touch(message); });
  if (conversation === current) view.sync(conversation);
  draw();
  announce('Answering');
  await running;
  conversation.updated = Date.now();
  if (conversations.includes(conversation)) save(conversation);
  draw();
  if (conversation === current && !reply.error) announce(reply.text ? `Answer: ${reply.text}` : 'No answer');
  if (reply.error?.kind === 'key') {
    if (await askForKey(apiKey() ? 'The server did not take this key.' : 'This server answers only to those who have a key.')) again(conversation);
  }
}

async function askForKey(text) {
  const answered = await ask({title: 'API key', text, label: 'Key', password: true, ok: 'Use key'});
  if (!answered?.value) return false;
  setApiKey(answered.value, answered.keep);
  await loadModels();
  return true;
}

async function send({text, files}) {
  try {
    if (!current) {
      const now = Date.now();
      current = {id: newId(), title: '', created: now, updated: now, messages: []};
      conversations.push(current);
      store.local.set('current', current.id);
    }
    const conversation = current;
    for (const {id, blob} of files) await store.saveFile(id, blob).catch(() => toast('The browser has no room left to keep this file.', {bad: true}));
    conversation.title ||= (text || files[0].name).replace(/\s+/g, ' ').slice(0, 60);
    conversation.messages.push({id: newId(), role: 'user', text, files: files.map(({id, kind, name, type, size}) => ({id, kind, name, type, size}))});
    save(conversation);
    view.follows = true;
    await answer(conversation);
  } catch (error) {
    fail(error);
  }
}

function again(conversation) {
  if (answers.isRunning(conversation)) return;
  const old = conversation.messages.at(-1);
  if (old.role === 'assistant') {
    conversation.messages.pop();
    // The answers so far can be turned back to.
    const versions = old.versions ?? [answers.snapshot(old)];
    conversation.messages.push({id: newId(), role: 'assistant', text: '', versions, version: versions.length});
  }
  answer(conversation).catch(fail);
  $('prompt').focus();
}

function turn(message, step) {
  message.version += step;
  Object.assign(message, message.versions[message.version]);
  save(current);
  view.sync(current);
}

function resend(message, text) {
  if (!text.trim() && !message.files?.length) return;
  const conversation = current;
  answers.stop(conversation);
  const at = conversation.messages.indexOf(message);
  for (const {id} of conversation.messages.slice(at + 1).flatMap(({files}) => files ?? [])) forget(id);
  conversation.messages = [...conversation.messages.slice(0, at), {...message, id: newId(), text: text.trim()}];
  if (at === 0) conversation.title = text.trim().replace(/\s+/g, ' ').slice(0, 60) || conversation.title;
  // The stopped answer ends first.
  const wait = () => (answers.isRunning(conversation) ? setTimeout(wait, 20) : answer(conversation).catch(fail));
  wait();
  $('prompt').focus();
}

async function loadModels() {
  let ids = [];
  try {
    ids = await api.models(apiKey());
  } catch (error) {
    if (error.kind === 'key') return void await askForKey(apiKey() ? 'The server did not take this key.' : 'This server answers only to those who have a key.');
    fail(error);
  }
  if (!ids.length && config.model) ids = [config.model];
  $('model').replaceChildren(...ids.map((id) => h('option', {value: id}, id)));
  const chosen = store.local.get('model', '');
  if (ids.includes(chosen)) $('model').value = chosen;
  $('model').closest('label').hidden = !ids.length;
  $('model').closest('label').classList.toggle('only', ids.length === 1);
}

function drawWelcome() {
  const can = [config.sees !== false && 'looks at pictures and video', config.hears !== false && 'listens to sound'].filter(Boolean).join(', ');
  $('about').textContent = `Gemma 3n on your own processor${can ? `: it reads, ${can}` : ''}.`;
  $('record').disabled = config.hears === false;
  $('starters').replaceChildren(...STARTERS.filter(([kind]) => kind === 'text' || (kind === 'audio' ? config.hears : config.sees) !== false)
    .map(([kind, text, note]) => h('button', {type: 'button', onclick: () => {
      composer.fill(text);
      if (kind === 'text') return;
      $('files').accept = `${kind}/*`;
      $('files').click();
      $('files').accept = everything;
    }}, h('span', {}, text), h('small', {}, note))));
}
const everything = $('files').accept;

const view = new ConversationView($('log'), $('scroll'), $('latest'), {show, resend, turn, again: () => again(current)});
const composer = new Composer({
  send, show, stop: () => answers.stop(current), config: () => config, used: () => answers.used(current),
  editLast: () => {
    const buttons = document.querySelectorAll('#log [aria-label="Edit message"]');
    buttons[buttons.length - 1]?.click();
    return buttons.length > 0;
  },
});
const closeSidebar = setUpSidebar();
setUpSettings(loadModels);
setUpTheme();
for (const id of ['settings', 'ask', 'viewer']) {  // a click beside a dialog closes it
  $(id).addEventListener('click', (event) => { if (event.target === $(id)) $(id).close(); });
}

$('new').addEventListener('click', () => open(null));
$('export').addEventListener('click', () => exportAll([current], current.title).catch(fail));
$('export-all').addEventListener('click', () => exportAll(conversations, 'gemma3n conversations').catch(fail));
$('import').addEventListener('click', () => $('import-file').click());
$('import-file').addEventListener('change', async () => {
  const [file] = $('import-file').files;
  $('import-file').value = '';
  if (!file) return;
  const added = await importAll(file);
  conversations.push(...added);
  if (added.length) open(added[0]);
});
$('rename').addEventListener('click', async () => {
  const conversation = current;
  const answered = await ask({title: 'Rename conversation', label: 'Name', value: conversation.title});
  if (!answered?.value) return;
  conversation.title = answered.value.slice(0, 120);
  save(conversation);
  draw();
});
$('model').addEventListener('change', () => store.local.set('model', $('model').value));
$('viewer-close').addEventListener('click', () => $('viewer').close());
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !document.querySelector('dialog[open]') && answers.isRunning(current)) {
    event.preventDefault();
    answers.stop(current);
  }
});

if (!await store.open()) toast('This browser keeps nothing for this page: conversations are gone when it is closed. Export those that matter.', {seconds: 12});
conversations = await store.conversations();
for (const {messages} of conversations) {
  for (const message of messages) {
    if (message.state !== 'going') continue;  // the page was closed meanwhile
    message.state = 'done';
    message.finish = 'stopped';
    if (message.versions) message.versions = [...message.versions, answers.snapshot(message)];
  }
}
config = await api.config();
drawWelcome();
open(conversations.find(({id}) => id === store.local.get('current', null)) ?? null);
await loadModels();
document.body.dataset.ready = 'yes';
