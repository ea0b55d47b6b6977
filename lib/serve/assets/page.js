const formats = JSON.parse(document.getElementById('data').textContent);
const element = (id) => document.getElementById(id);
/** Where this page is: the service may have a prefix. */
const base = location.pathname.replace(/\/*$/, '/');

const REPORT_STYLE =
  'main { display: flex; flex-direction: column } main > [aria-labelledby="charts"] { order: 1 }';

let token = '';
/** The job that is shown or awaited, and what stops waiting for it. */
let current;

/** Sends a request to the service. An answer that reports an error is thrown, with its `code`. */
async function ask(path, options = {}) {
  const headers = { ...options.headers, ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(base + path, { ...options, headers });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401) element('access').hidden = false;
  const code = problem.code ?? response.status;
  throw Object.assign(new Error(`${problem.detail ?? response.statusText} [${code}]`), { code });
}

function say(text, failed = false) {
  element('said').textContent = text;
  element('said').classList.toggle('failed', failed);
}

async function showModel() {
  try {
    const { models } = await (await ask('v1/models')).json();
    const [model] = models;
    element('access').hidden = true;
    element('model').textContent = `Model ${model.name}: ${model.cellTypes.join(', ')}`;
    const types = model.cellTypes.filter((type) => model.segmenters[type]);
    element('type').replaceChildren(
      new Option('predicted', ''),
      ...types.map((type) => new Option(type, type)),
    );
  } catch (error) {
    element('model').textContent = error.message;
    // A service that is starting is asked again.
    if (error.code === 'STARTING') setTimeout(showModel, 1000);
  }
}

/** The data of server-sent events. EventSource could not send a token. */
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const events = text.split('\n\n');
    text = events.pop();
    for (const event of events) {
      const data = event.split('\n').find((line) => line.startsWith('data: '));
      if (data) yield JSON.parse(data.slice(6));
    }
  }
}

function queryOf(file) {
  const query = new URLSearchParams({ name: file.name });
  if (element('type').value) query.set('cellType', element('type').value);
  if (element('score').value) query.set('minScore', element('score').value);
  return query;
}

/** The report in a frame without an origin: nothing in it can reach this page or its token. */
function showReport(html) {
  element('result').hidden = false;
  // A new frame: one that was hidden while it got another document stays blank in Chromium.
  const frame = element('report').cloneNode();
  // The image first: its distributions are of one image only.
  frame.srcdoc = html.replace('</head>', `<style>${REPORT_STYLE}</style></head>`);
  element('report').replaceWith(frame);
}

async function segment(file) {
  const stop = new AbortController();
  current?.stop.abort();
  const mine = { stop, name: file.name };
  current = mine;
  const { signal } = stop;
  element('result').hidden = true;
  element('work').hidden = false;
  element('progress').removeAttribute('value');
  say(`Sending ${file.name}…`);
  try {
    const submitted = await ask(`v1/jobs?${queryOf(file)}`, {
      method: 'POST',
      body: file,
      headers: { 'content-type': 'application/octet-stream' },
      signal,
    });
    mine.id = (await submitted.json()).id;
    let job;
    for await (job of eventsOf(await ask(`v1/jobs/${mine.id}/events`, { signal }))) {
      if (current !== mine) return;
      if (job.progress) element('progress').value = job.progress.fraction;
      say(job.state === 'waiting' ? 'Waiting for other images…' : 'Segmenting…');
    }
    if (job?.state === 'failed') throw new Error(`${job.error.message} [${job.error.code}]`);
    if (job?.state === 'cancelled') throw new Error('Cancelled.');
    const report = await (await ask(`v1/jobs/${mine.id}/result?format=report`, { signal })).text();
    if (current !== mine) return;
    showReport(report);
    say(`${file.name} is segmented.`);
  } catch (error) {
    if (current === mine && !signal.aborted) say(`${file.name}: ${error.message}`, true);
  } finally {
    if (current === mine) element('work').hidden = true;
    // A job whose result nobody waits for is cancelled.
    if (signal.aborted && mine.id) ask(`v1/jobs/${mine.id}`, { method: 'DELETE' }).catch(() => {});
  }
}

async function download({ name, extension }) {
  try {
    const blob = await (await ask(`v1/jobs/${current.id}/result?format=${name}`)).blob();
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = `${current.name.replace(/\.[^.]*$/, '')}${extension}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    say(error.message, true);
  }
}

for (const format of formats) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = format.name;
  button.addEventListener('click', () => download(format));
  element('formats').append(button);
}
element('access').addEventListener('submit', (event) => {
  event.preventDefault();
  token = element('token').value;
  void showModel();
});
element('file').addEventListener('change', () => {
  const [file] = element('file').files;
  if (file) void segment(file);
});
element('cancel').addEventListener('click', () => {
  current.stop.abort();
  element('work').hidden = true;
  say('Cancelled.');
});
// The whole page accepts dropped files, because the browser would open a file that is dropped beside the field.
document.addEventListener('dragover', (event) => {
  event.preventDefault();
  element('drop').classList.add('over');
});
document.addEventListener('dragleave', () => element('drop').classList.remove('over'));
document.addEventListener('drop', (event) => {
  event.preventDefault();
  element('drop').classList.remove('over');
  const [file] = event.dataTransfer.files;
  if (file) void segment(file);
});
void showModel();
