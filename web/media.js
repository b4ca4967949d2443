// Files of a message: which kind they are, how they look, how they travel, and sound from the microphone.
import {bytesText, h, icon} from './dom.js';

const BY_NAME = {
  image: /\.(jpe?g|png|webp|gif|bmp|avif|svg|heic)$/i,
  audio: /\.(wav|mp3|flac|ogg|oga|opus|m4a|aac|weba)$/i,
  video: /\.(mp4|m4v|mov|mkv|webm|avi|ogv)$/i,
  text: /\.(txt|md|json|csv|tsv|xml|ya?ml|toml|c|cc|cpp|h|hpp|py|js|ts|rs|go|java|sh|html|css|log|cmake)$/i,
};
const PICTURES = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/bmp']);
const MOST_TEXT = 200000;

export function kindOf({type, name}) {
  for (const kind of ['image', 'audio', 'video', 'text']) if (type.startsWith(`${kind}/`)) return kind;
  if (type === 'application/json') return 'text';
  return Object.keys(BY_NAME).find((kind) => BY_NAME[kind].test(name ?? '')) ?? null;
}

// Bytes of a JSON request that carries `size` bytes as base64.
export const onTheWay = (size) => Math.ceil(size / 3) * 4 + 200;

// A picture in a format that the server does not read, as PNG.
async function toPng(blob) {
  const picture = await createImageBitmap(blob);
  const canvas = h('canvas');
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext('2d').drawImage(picture, 0, 0);
  return new Promise((resolve, reject) => canvas.toBlob((png) => (png ? resolve(png) : reject(new Error('no PNG'))), 'image/png'));
}

// A file as it will be sent: {kind, name, type, size, blob}. Throws an Error with a sentence for the user.
export async function accept(file, config, used) {
  const name = file.name || 'pasted';
  const kind = kindOf(file);
  if (!kind) throw new Error(`“${name}” is neither picture, sound, video nor text.`);
  if ((kind === 'image' || kind === 'video') && config.sees === false) throw new Error('This model cannot see pictures or video.');
  if (kind === 'audio' && config.hears === false) throw new Error('This model cannot hear sound.');
  if (kind === 'text' && file.size > MOST_TEXT) throw new Error(`“${name}” has ${bytesText(file.size)}; a text can have ${bytesText(MOST_TEXT)}.`);
  let blob = file;
  if (kind === 'image' && !PICTURES.has(file.type)) {
    try { blob = await toPng(file); } catch { throw new Error(`“${name}” cannot be read here: pictures are JPEG, PNG, WebP, GIF or BMP.`); }
  }
  if (blob.size === 0) throw new Error(`“${name}” is empty.`);
  const room = (config.max_body_bytes || Infinity) - used;
  if (onTheWay(blob.size) > room) {
    throw new Error(`“${name}” (${bytesText(blob.size)}) is too large: the server takes ${bytesText(config.max_body_bytes)} for a ` +
      `conversation with all its files, which grow by a third on their way${used > 10000 ? `; ${bytesText(used)} are taken` : ''}.`);
  }
  return {kind, name, type: blob.type || file.type, size: blob.size, blob};
}

export function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error('The browser can no longer read a file of this conversation.'));
    reader.readAsDataURL(blob);
  });
}

const SOUNDS = {mpeg: 'mp3', mp3: 'mp3', wav: 'wav', 'x-wav': 'wav', wave: 'wav', 'vnd.wave': 'wav', flac: 'flac', 'x-flac': 'flac', ogg: 'ogg', opus: 'ogg', webm: 'webm',
  mp4: 'm4a', 'x-m4a': 'm4a', aac: 'aac'};

// A file as a part of a message of the API.
export async function part({kind, name, type}, blob) {
  if (kind === 'text') return {type: 'text', text: `${name}:\n\`\`\`\n${await blob.text()}\n\`\`\`\n`};
  const url = await dataUrl(blob);
  if (kind === 'image') return {type: 'image_url', image_url: {url}};
  if (kind === 'video') return {type: 'video_url', video_url: {url: url.replace(/^data:[^;,]*/, `data:${type.startsWith('video/') ? type.split(';')[0] : 'video/mp4'}`)}};
  const format = SOUNDS[type.split(/[/;]/)[1]] ?? name.split('.').at(-1).toLowerCase();
  return {type: 'input_audio', input_audio: {data: url.slice(url.indexOf(',') + 1), format}};
}

const urls = new Map();  // file id -> object URL
const urlOf = (id, blob) => urls.get(id) ?? (urls.set(id, URL.createObjectURL(blob)), urls.get(id));

export function forget(id) {
  if (urls.has(id)) URL.revokeObjectURL(urls.get(id));
  urls.delete(id);
}

// How a file looks in a message or beside the one being written.
export function preview({id, kind, name, size}, blob, show) {
  if (!blob) return h('span', {class: 'chip'}, icon('warn'), `${name} is gone`);
  const url = kind === 'text' ? '' : urlOf(id, blob);
  if (kind === 'image') {
    return h('button', {type: 'button', class: 'picture', 'aria-label': `Show ${name}`, onclick: () => show(url, name)}, h('img', {src: url, alt: name}));
  }
  if (kind === 'audio') return h('audio', {controls: true, preload: 'metadata', src: url, 'aria-label': name});
  if (kind === 'video') return h('video', {controls: true, preload: 'metadata', src: url, 'aria-label': name, playsinline: true});
  return h('span', {class: 'chip'}, icon('file'), h('span', {}, name), h('small', {}, bytesText(size)));
}

// 16-bit WAV of one channel at 16 kHz, which is what the model hears.
async function toWav(blob) {
  const rate = 16000;
  const context = new AudioContext();
  let decoded;
  try { decoded = await context.decodeAudioData(await blob.arrayBuffer()); } finally { context.close(); }
  const offline = new OfflineAudioContext(1, Math.max(1, Math.ceil(decoded.duration * rate)), rate);
  const source = offline.createBufferSource();
  source.buffer = decoded;
  source.connect(offline.destination);
  source.start();
  const samples = (await offline.startRendering()).getChannelData(0);
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const word = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  word(0, 'RIFF'); view.setUint32(4, 36 + 2 * samples.length, true); word(8, 'WAVEfmt ');
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  word(36, 'data'); view.setUint32(40, 2 * samples.length, true);
  samples.forEach((s, i) => view.setInt16(44 + 2 * i, Math.max(-1, Math.min(1, s)) * 32767, true));
  return new Blob([view.buffer], {type: 'audio/wav'});
}

// A recording in progress: onLevel(seconds, loudness 0..1) while it runs. start() throws an Error with a sentence for the user.
export class Recording {
  async start(onLevel) {
    if (!navigator.mediaDevices?.getUserMedia || typeof MediaRecorder === 'undefined') {
      throw new Error(window.isSecureContext ? 'This browser cannot record sound. Attach a sound file instead.'
        : 'Browsers lend the microphone only to pages over HTTPS or on localhost. Attach a sound file instead.');
    }
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({audio: {channelCount: 1, echoCancellation: false}});
    } catch (error) {
      if (error.name === 'NotAllowedError') throw new Error('The browser does not let this page use the microphone. Allow it in the site’s settings, beside the address.');
      if (error.name === 'NotFoundError') throw new Error('No microphone was found.');
      throw new Error('The microphone could not be opened; another program may have it.');
    }
    this.pieces = [];
    this.recorder = new MediaRecorder(this.stream);
    this.recorder.ondataavailable = (event) => this.pieces.push(event.data);
    this.context = new AudioContext();
    const analyser = this.context.createAnalyser();
    analyser.fftSize = 1024;
    this.context.createMediaStreamSource(this.stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const began = performance.now();
    this.timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, s) => sum + s * s, 0) / samples.length;
      onLevel((performance.now() - began) / 1000, Math.min(1, Math.max(0, 1 + Math.log10(power + 1e-9) / 6)));
    }, 100);
    this.recorder.start();
  }

  end() {
    clearInterval(this.timer);
    this.context?.close();
    this.stream?.getTracks().forEach((track) => track.stop());
  }

  // The sound as a file.
  async finish() {
    const stopped = new Promise((resolve) => { this.recorder.onstop = resolve; });
    this.recorder.stop();
    await stopped;
    this.end();
    const raw = new Blob(this.pieces, {type: this.recorder.mimeType});
    const name = `recording ${new Date().toTimeString().slice(0, 5).replace(':', '.')}`;
    try {
      return new File([await toWav(raw)], `${name}.wav`, {type: 'audio/wav'});
    } catch {
      return new File([raw], `${name}.webm`, {type: raw.type});
    }
  }

  discard() {
    this.recorder?.stop();
    this.end();
  }
}
