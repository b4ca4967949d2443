// The box in which a message is written: text, files by button, drop and paste, sound by the microphone.
import {$, h, iconButton, newId, toast} from './dom.js';
import {accept, forget, onTheWay, preview, Recording} from './media.js';

export class Composer {
  // act: {send({text, files}), stop(), editLast(), used() bytes, config() , show(url, name)}
  constructor(act) {
    this.act = act;
    this.files = [];
    this.prompt = $('prompt');
    this.prompt.addEventListener('input', () => this.fit());
    this.prompt.addEventListener('keydown', (event) => this.key(event));
    $('composer').addEventListener('submit', (event) => { event.preventDefault(); this.send(); });
    $('stop').addEventListener('click', () => act.stop());
    $('attach').addEventListener('click', () => $('files').click());
    $('files').addEventListener('change', () => { this.add([...$('files').files]); $('files').value = ''; });
    this.prompt.addEventListener('paste', (event) => {
      if (!event.clipboardData.files.length) return;
      event.preventDefault();
      this.add([...event.clipboardData.files]);
    });
    const narrow = matchMedia('(max-width: 520px)');
    const hint = () => { this.prompt.placeholder = narrow.matches ? 'Ask, or attach a picture, sound …' : 'Ask anything, or drop a picture, sound or video'; };
    narrow.addEventListener('change', hint);
    hint();
    new ResizeObserver(() => document.documentElement.style.setProperty('--composer', `${$('composer').offsetHeight}px`)).observe($('composer'));
    this.setUpDrop();
    this.setUpRecorder();
    this.draw();
  }

  key(event) {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.send();
    } else if (event.key === 'ArrowUp' && !this.prompt.value && !event.shiftKey) {
      if (this.act.editLast()) event.preventDefault();
    }
  }

  fit() {
    this.prompt.style.height = 'auto';
    this.prompt.style.height = `${this.prompt.scrollHeight}px`;
    this.drawSend();
  }

  drawSend() {
    $('send').disabled = this.going || !(this.prompt.value.trim() || this.files.length);
  }

  setGoing(going) {
    this.going = going;
    $('stop').hidden = !going;
    $('send').hidden = going;
    this.drawSend();
  }

  send() {
    if (this.recording) return toast('Keep or discard the recording first.');
    const text = this.prompt.value.trim();
    if (this.going || !(text || this.files.length)) return;
    const files = this.files;
    this.files = [];
    this.prompt.value = '';
    this.fit();
    this.draw();
    this.act.send({text, files});
  }

  fill(text) {
    this.prompt.value = text;
    this.fit();
    this.prompt.focus();
  }

  async add(files) {
    for (const file of files) {
      try {
        const used = this.act.used() + this.files.reduce((sum, {size}) => sum + onTheWay(size), 0);
        this.files.push({id: newId(), ...await accept(file, this.act.config(), used)});
      } catch (error) {
        toast(error.message, {bad: true, seconds: 12});
      }
    }
    this.draw();
    this.prompt.focus();
  }

  draw() {
    const tray = $('tray');
    tray.hidden = !this.files.length;
    tray.replaceChildren(...this.files.map((item) => h('li', {class: `file ${item.kind}`},
      preview(item, item.blob, this.act.show),
      iconButton('close', `Remove ${item.name}`, () => {
        this.files = this.files.filter((other) => other !== item);
        forget(item.id);
        this.draw();
        this.prompt.focus();
      }, 'remove'))));
    this.drawSend();
  }

  setUpDrop() {
    let depth = 0;  // drag events come for every element on the way
    const hasFiles = (event) => [...event.dataTransfer?.types ?? []].includes('Files');
    const show = () => { $('drop').hidden = depth <= 0; };
    window.addEventListener('dragenter', (event) => { if (hasFiles(event)) { depth++; show(); } });
    window.addEventListener('dragleave', (event) => { if (hasFiles(event)) { depth--; show(); } });
    window.addEventListener('dragover', (event) => { if (hasFiles(event)) event.preventDefault(); });
    window.addEventListener('drop', (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      depth = 0;
      show();
      this.add([...event.dataTransfer.files]);
    });
  }

  setUpRecorder() {
    const close = () => {
      this.recording = null;
      $('recorder').hidden = true;
      $('record').disabled = false;
      this.prompt.focus();
    };
    $('record').addEventListener('click', async () => {
      const recording = new Recording();
      $('record').disabled = true;
      try {
        await recording.start((seconds, loudness) => {
          $('recorder-time').textContent = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
          $('recorder-level').value = loudness;
        });
      } catch (error) {
        recording.end();
        $('record').disabled = false;
        return toast(error.message, {bad: true, seconds: 12});
      }
      this.recording = recording;
      $('recorder-time').textContent = '0:00';
      $('recorder').hidden = false;
      $('recorder-keep').focus();
    });
    $('recorder-keep').addEventListener('click', async () => {
      const recording = this.recording;
      if (!recording) return;
      close();
      this.add([await recording.finish()]);
    });
    $('recorder-discard').addEventListener('click', () => { this.recording?.discard(); close(); });
  }
}
