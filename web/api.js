// The server's OpenAI API, and its errors in plain words. Paths are relative: a reverse proxy may put the page anywhere.

export class ApiError extends Error {
  // kind: 'key', 'large', 'busy', 'down', 'request', 'server', 'broken'
  constructor(kind, message, detail = '') {
    super(message);
    this.kind = kind;
    this.detail = detail;
  }
}

const withKey = (key) => (key ? {Authorization: `Bearer ${key}`} : {});

async function errorOf(response) {
  let detail = '';
  try {
    const text = await response.text();
    try { detail = JSON.parse(text).error?.message ?? JSON.parse(text).error ?? ''; } catch { detail = ''; }
  } catch { /* the status says enough */ }
  if (typeof detail !== 'string') detail = '';
  const wait = parseInt(response.headers.get('Retry-After') ?? '', 10);
  const soon = wait > 0 ? `Try again in ${wait} second${wait === 1 ? '' : 's'}.` : 'Try again in a moment.';
  switch (response.status) {
    case 401: case 403: return new ApiError('key', 'The server wants an API key, and this one is not right.', detail);
    case 404: return new ApiError('request', 'The server does not have what was asked for.', detail);
    case 408: case 504: return new ApiError('busy', `The answer took longer than the server allows. ${soon}`, detail);
    case 413: return new ApiError('large', 'The message is larger than the server takes. Remove or shrink its files.', detail);
    case 429: return new ApiError('busy', `Too many people are asking at once. ${soon}`, detail);
    case 502: case 503: return new ApiError('busy', `The server is busy or restarting. ${soon}`, detail);
    default:
      return response.status < 500
        ? new ApiError('request', 'The server could not take this message.', detail)
        : new ApiError('server', 'Something went wrong inside the server.', detail);
  }
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, {...options, credentials: 'same-origin'});
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('down', 'The server can’t be reached. Is “gemma3n serve” still running?');
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

// What the page should know of the server: {model, context, max_body_bytes, sees, hears}. Everything may be missing.
export async function config() {
  try {
    return await (await request('page/config.json')).json();
  } catch {
    return {};
  }
}

export async function models(key) {
  const list = (await (await request('v1/models', {headers: withKey(key)})).json()).data;
  return Array.isArray(list) ? list.map((model) => model.id) : [];
}

// Server-sent events of a body, as parsed JSON, up to [DONE].
async function* events(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let waiting = '';
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new ApiError('broken', 'The connection ended before the answer was complete.');
    }
    if (piece.done) break;
    waiting += decoder.decode(piece.value, {stream: true});
    const lines = waiting.split(/\r?\n/);
    waiting = lines.pop();
    for (const line of lines) {
      if (!line.startsWith('data:')) continue;
      const data = line.slice(5).trim();
      if (data === '[DONE]') return;
      yield JSON.parse(data);
    }
  }
  throw new ApiError('broken', 'The connection ended before the answer was complete.');
}

// One answer, piece by piece: {text} ..., {finish}, {usage}.
export async function* chat(body, {key, signal}) {
  const response = await request('v1/chat/completions', {
    method: 'POST', signal,
    headers: {'Content-Type': 'application/json', ...withKey(key)},
    body: JSON.stringify({...body, stream: true, stream_options: {include_usage: true}}),
  });
  for await (const event of events(response.body)) {
    if (event.error) throw new ApiError('server', 'The answer broke off inside the server.', event.error.message ?? '');
    const choice = event.choices?.[0];
    if (choice?.delta?.content) yield {text: choice.delta.content};
    if (choice?.finish_reason) yield {finish: choice.finish_reason};
    if (event.usage) yield {usage: event.usage};
  }
}
