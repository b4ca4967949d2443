// Answers in the making: one for each conversation at most, and they go on while another conversation is looked at.
import * as api from './api.js';
import {apiKey, sampling, settings} from './dialogs.js';
import {onTheWay, part} from './media.js';
import {statsText} from './view.js';
import * as store from './store.js';

const running = new Map();  // conversation id -> AbortController

export const isRunning = (conversation) => running.has(conversation?.id);
export const stop = (conversation) => running.get(conversation?.id)?.abort();

// Bytes that the files of a conversation take of a request.
export const used = (conversation) => (conversation ? store.filesOf(conversation) : []).reduce((sum, {size}) => sum + onTheWay(size), 0);

// The messages of the API before `until`. Turns without an answer (errors) become one with the next.
async function history(conversation, until) {
  const messages = settings.system ? [{role: 'system', content: settings.system}] : [];
  for (const message of conversation.messages) {
    if (message === until) break;
    if (message.role === 'assistant') {
      if (message.text) messages.push({role: 'assistant', content: message.text});
      continue;
    }
    const parts = [];
    for (const item of message.files ?? []) {
      const blob = await store.file(item.id);
      if (!blob) throw new api.ApiError('request', `“${item.name}” is no longer in this browser: send it again.`);
      parts.push(await part(item, blob));
    }
    if (message.text) parts.push({type: 'text', text: message.text});
    const before = messages.at(-1);
    if (before?.role === 'user') before.content.push(...parts);
    else messages.push({role: 'user', content: parts});
  }
  for (const message of messages) {
    if (Array.isArray(message.content) && message.content.every(({type}) => type === 'text')) message.content = message.content.map(({text}) => text).join('\n');
  }
  return messages;
}

// What of an answer is kept when another is made in its place.
export const snapshot = ({text, error = null, finish = null, stats = ''}) => ({text, error, finish, stats});

// Fills `answer`, the conversation's last message. onchange(answer) after each piece; returns when it has ended, well or not.
export async function run(conversation, answer, model, onchange) {
  const controller = new AbortController();
  running.set(conversation.id, controller);
  Object.assign(answer, {state: 'going', text: '', error: null, finish: null, stats: '', waited: 0});
  onchange(answer);
  const began = performance.now();
  const since = () => (performance.now() - began) / 1000;
  let first = 0, seconds = 0, usage = null, saved = began;
  const clock = setInterval(() => {
    answer.waited = Math.round(since());
    if (!answer.text) onchange(answer);
  }, 1000);
  try {
    const messages = await history(conversation, answer);
    for await (const piece of api.chat({model: model || undefined, messages, ...sampling()}, {key: apiKey(), signal: controller.signal})) {
      if (piece.text) {
        seconds = since();
        first ||= seconds;
        answer.text += piece.text;
      }
      if (piece.finish) answer.finish = piece.finish;
      usage = piece.usage ?? usage;
      onchange(answer);
      if (performance.now() - saved > 2000) {
        saved = performance.now();
        store.saveConversation(conversation).catch(() => {});
      }
    }
  } catch (error) {
    if (controller.signal.aborted) answer.finish = 'stopped';
    else if (error instanceof api.ApiError) answer.error = {kind: error.kind, text: error.message, detail: error.detail};
    else answer.error = {kind: 'broken', text: 'The answer could not be read.', detail: String(error.message ?? error)};
  }
  clearInterval(clock);
  answer.stats = statsText({usage, first, seconds});
  answer.state = 'done';
  if (answer.versions) answer.versions = [...answer.versions, snapshot(answer)];
  running.delete(conversation.id);
  onchange(answer);
}
