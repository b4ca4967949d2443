// Conversations in the browser's own database: {id, title, created, updated, messages}, and the files of messages beside them.
// Where there is none (private windows of some browsers) everything works until the page is closed.

let database = null;

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

// Returns whether conversations will be kept.
export async function open() {
  try {
    const request = indexedDB.open('gemma3n', 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('conversations', {keyPath: 'id'});
      request.result.createObjectStore('files', {keyPath: 'id'});
    };
    database = await done(request);
  } catch {
    database = null;
  }
  return database !== null;
}

const table = (name, mode) => database.transaction(name, mode).objectStore(name);

export async function conversations() {
  return database ? done(table('conversations', 'readonly').getAll()) : [];
}

export async function saveConversation(conversation) {
  if (database) await done(table('conversations', 'readwrite').put(structuredClone(conversation)));
}

const files = new Map();  // id -> Blob: those of this session

export async function saveFile(id, blob) {
  files.set(id, blob);
  if (database) await done(table('files', 'readwrite').put({id, blob}));
}

export async function file(id) {
  if (!files.has(id) && database) {
    const found = await done(table('files', 'readonly').get(id));
    if (found) files.set(id, found.blob);
  }
  return files.get(id) ?? null;
}

export const filesOf = (conversation) => conversation.messages.flatMap((message) => message.files ?? []);

export async function removeConversation(conversation) {
  for (const {id} of filesOf(conversation)) {
    files.delete(id);
    if (database) await done(table('files', 'readwrite').delete(id));
  }
  if (database) await done(table('conversations', 'readwrite').delete(conversation.id));
}

// Small settings: numbers and words, no secrets unless the user said so.
export const local = {
  get(name, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(name)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  set(name, value) {
    try {
      if (value === null) localStorage.removeItem(name);
      else localStorage.setItem(name, JSON.stringify(value));
    } catch { /* not kept */ }
  },
};
