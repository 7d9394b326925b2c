// Looks at the status pages with a real Chromium: desktop and phone, light and dark.
//
//   node check.mjs <directory with node_modules> <chromium> <browser-pages> <handler> <screenshots>
//
// The pages come from the real handler (see src/main.rs). Every check names the scene and the form
// in which it failed; all failures are told, and one is enough to fail.

import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';

const [modules, executablePath, pages, handler, screens] = process.argv.slice(2);
const { chromium } = createRequire(`${resolve(modules)}/`)('playwright-core');

const FORMS = [
  { name: 'desktop', width: 1280, height: 800, colorScheme: 'light' },
  { name: 'desktop-dark', width: 1280, height: 800, colorScheme: 'dark' },
  { name: 'phone', width: 390, height: 844, colorScheme: 'light' },
  { name: 'phone-dark', width: 390, height: 844, colorScheme: 'dark' },
];
const HOSTILE = `<script>window.pwned=1</script>"'><img src=/x onerror=window.pwned=1>`;
const TURNING = '\u202e';

const failures = [];
let checks = 0;
function check(holds, what) {
  checks += 1;
  if (!holds) failures.push(what);
}

/** Starts the server of the pages; it ends when its standard input does, also if we are killed. */
async function serve() {
  const child = spawn(pages, [handler], { stdio: ['pipe', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, ...JSON.parse(line) };
  }
  throw new Error('browser-pages ended before it served anything');
}

/** What is wrong with the page's structure, and facts about it; runs in the page. */
function examine() {
  const problems = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const visible = (element) => element.checkVisibility();

  if (document.documentElement.lang !== 'en') problems.push('no language');
  for (const one of ['h1', 'main', 'header', 'footer', 'title']) {
    if (all(`html > head > ${one}, html > body ${one}`).filter((e) => !e.closest('svg')).length !== 1)
      problems.push(`not exactly one <${one}>`);
  }
  let level = 0;
  for (const heading of all('h1, h2, h3, h4')) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) problems.push(`heading levels jump at "${heading.textContent}"`);
    level = next;
  }
  for (const table of all('table')) {
    const columns = table.querySelectorAll('thead th[scope=col]').length;
    if (columns < 3) problems.push('a table without column headers');
    for (const row of table.querySelectorAll('tbody tr')) {
      if (row.cells.length !== columns) problems.push('a row whose cells do not fit its columns');
      if (!row.querySelector('th[scope=row]')) problems.push('a row without a header');
    }
    if (table.getAttribute('role') !== 'table') problems.push('a table without its role');
  }
  for (const image of all('svg')) {
    if (image.getAttribute('aria-hidden') === 'true') continue;
    const names = (image.getAttribute('aria-labelledby') ?? '').split(' ');
    const texts = names.map((id) => document.getElementById(id)?.textContent ?? '');
    if (image.getAttribute('role') !== 'img' || texts.length !== 2 || texts.some((text) => !text))
      problems.push('an image without a name and a description');
  }
  for (const section of all('section')) {
    const name = document.getElementById(section.getAttribute('aria-labelledby'));
    if (!name?.textContent) problems.push('a section without a name');
  }
  const ids = all('[id]').map((element) => element.id);
  if (new Set(ids).size !== ids.length) problems.push('an id stands there twice');
  for (const link of all('a')) {
    const target = link.getAttribute('href');
    if (!link.textContent.trim()) problems.push('a link without a text');
    if (target !== '' && !(target.startsWith('#') && document.getElementById(target.slice(1))))
      problems.push(`a link leads to "${target}"`);
  }
  for (const selector of ['script', 'iframe', 'object', 'img', 'link', 'form', '[style]', 'base']) {
    if (all(selector).length) problems.push(`there is a ${selector}`);
  }
  for (const element of all('*')) {
    for (const attribute of element.attributes)
      if (attribute.name.startsWith('on')) problems.push(`there is an ${attribute.name}`);
  }

  // Contrast as WCAG 2 defines it, of every text against what lies behind it.
  const rgb = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const part = (value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const contrast = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || element.closest('svg') || !visible(element)) continue;
    texts += 1;
    const style = getComputedStyle(element);
    const ratio = contrast(rgb(style.color), behind(element));
    if (ratio < 4.5) problems.push(`contrast ${ratio.toFixed(2)} of "${text.slice(0, 40)}"`);
    if (parseFloat(style.fontSize) < 12) problems.push(`tiny text "${text.slice(0, 40)}"`);
  }
  if (texts < 20) problems.push(`only ${texts} texts are visible`);
  // What is drawn must be told from the paper, too (3 : 1 for graphics).
  for (const mark of all('.chart rect, .legend rect, .strip i')) {
    const style = getComputedStyle(mark);
    const outline = style.boxShadow.match(/rgb\([^)]*\)/)?.[0];
    const color = mark.tagName === 'rect' ? style.fill : (outline ?? style.backgroundColor);
    const ratio = contrast(rgb(color), behind(mark.parentElement));
    if (ratio < 3) problems.push(`contrast ${ratio.toFixed(2)} of a ${mark.getAttribute('class')} mark`);
  }
  return {
    problems: [...new Set(problems)],
    text: document.body.innerText,
    html: document.documentElement.outerHTML,
    width: document.documentElement.clientWidth,
    needed: document.documentElement.scrollWidth,
    paper: luminance(rgb(getComputedStyle(document.body).backgroundColor)),
    styled: getComputedStyle(document.querySelector('.card')).borderTopWidth === '1px',
    pwned: window.pwned,
  };
}

async function look(browser, origin, scene, form) {
  const where = `${scene}, ${form.name}`;
  const context = await browser.newContext({
    viewport: { width: form.width, height: form.height },
    colorScheme: form.colorScheme,
    deviceScaleFactor: form.width < 500 ? 2 : 1,
  });
  const page = await context.newPage();
  const requests = [];
  const complaints = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    complaints.push('a dialog');
    dialog.dismiss();
  });
  const url = `${origin}/${scene}`;
  const reply = await page.goto(url);
  check(reply.status() === 200, `${where}: status ${reply.status()}`);
  check(reply.headers()['content-type'] === 'text/html; charset=utf-8', `${where}: no page`);

  const seen = await page.evaluate(examine);
  await page.screenshot({ path: `${screens}/${scene}-${form.name}.png`, fullPage: true });
  for (const problem of seen.problems) check(false, `${where}: ${problem}`);
  check(seen.styled, `${where}: the style sheet is not applied; does its hash fit?`);
  check(seen.needed <= seen.width, `${where}: ${seen.needed} px wide on ${seen.width}`);
  const dark = form.colorScheme === 'dark';
  check(dark ? seen.paper < 0.05 : seen.paper > 0.8, `${where}: paper of luminance ${seen.paper}`);
  check(seen.pwned === undefined, `${where}: somebody else's text was executed`);
  check(!seen.html.includes(TURNING), `${where}: a mark turns the text around`);

  // Everything unfolded, on the narrowest phone.
  await page.evaluate(() => document.querySelectorAll('details').forEach((one) => (one.open = true)));
  await page.setViewportSize({ width: Math.min(form.width, 320), height: form.height });
  const [needed, width] = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return [scrollWidth, clientWidth];
  });
  check(needed <= width, `${where}: unfolded ${needed} px wide on ${width}`);

  check(complaints.length === 0, `${where}: ${complaints.join('; ')}`);
  check(requests.length === 1 && requests[0] === url, `${where}: it asked for ${requests}`);
  if (form.name === 'desktop') await policy(page, origin, where);
  await context.close();
  return seen;
}

/** Even if something got in, it could neither run nor call home. */
async function policy(page, origin, where) {
  const left = [];
  page.on('requestfinished', (request) => left.push(request.url()));
  const wanted = ['script-src-elem', 'img-src', 'style-src-elem', 'frame-src', 'connect-src'];
  const missing = await page.evaluate(async ([origin, wanted]) => {
    const missing = new Set(wanted);
    const all = new Promise((done) => {
      document.addEventListener('securitypolicyviolation', (event) => {
        missing.delete(event.effectiveDirective);
        if (!missing.size) done();
      });
      setTimeout(done, 10_000);
    });
    const add = (tag, fill) => {
      const element = document.createElement(tag);
      fill(element);
      document.body.append(element);
    };
    add('script', (script) => (script.textContent = 'window.pwned = 2'));
    add('img', (image) => (image.src = `${origin}/probe`));
    add('style', (style) => (style.textContent = 'body { color: red }'));
    add('iframe', (frame) => (frame.src = `${origin}/probe`));
    await fetch(`${origin}/probe`).catch(() => {});
    await all;
    return [...missing];
  }, [origin, wanted]);
  check(missing.length === 0, `${where}: the policy lets pass ${missing}`);
  check((await page.evaluate(() => window.pwned)) === undefined, `${where}: a script ran`);
  check(left.length === 0, `${where}: ${left} left the page`);
}

/** What each scene is there to show, by the text on the page and the JSON beside it. */
async function meaning(origin, scene, { text, html }) {
  const json = await (await fetch(`${origin}/${scene}`)).json();
  const says = (part) => check(text.includes(part), `${scene}: it does not say "${part}"`);
  for (const upstream of json.upstreams) {
    for (const one of upstream.held) says(one.reason);
    for (const one of upstream.failures) says(one.kind);
    for (const one of upstream.not_in_upstream ?? []) says(one.reason);
    if (upstream.members && upstream.members.length < 50)
      for (const one of upstream.members)
        says(one.address.replaceAll(TURNING, String.raw`\u{202e}`));
  }
  const { process } = json;
  says(`process ${process.pid} on instance ${process.instance}`);
  switch (scene) {
    case 'fresh':
      says('None since this process started');
      break;
    case 'steady':
      says('2 upstreams in step');
      check(html.includes('<svg class="chart"'), 'steady: no chart');
      break;
    case 'moving':
      for (const state of ['draining', 'unhealthy', 'unavail', 'down', 'static', 'arriving', 'leaving'])
        says(state);
      break;
    case 'held': {
      const [web] = json.upstreams;
      check(web.condition === 'held' && web.digest !== null, 'held: nothing is held');
      says(web.release_body);
      check(JSON.parse(web.release_body).force === web.digest, 'held: another digest');
      break;
    }
    case 'failed':
      says('3 of 3 upstreams: failed');
      says('Servers when NGINX was last read');
      break;
    case 'hostile':
      says(HOSTILE);
      break;
    case 'large':
      says('698 servers with nothing to report');
      break;
    default:
      check(false, `${scene}: nobody says what it is to show`);
  }
}

const began = Date.now();
mkdirSync(screens, { recursive: true });
const { child, origin, scenes } = await serve();
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
try {
  check(scenes.length === 7, `${scenes.length} scenes`);
  for (const scene of scenes) {
    const [desktop] = await Promise.all(FORMS.map((form) => look(browser, origin, scene, form)));
    await meaning(origin, scene, desktop);
  }
} finally {
  await browser.close();
  child.stdin.end();
}
for (const failure of failures) console.log(`FAILED ${failure}`);
const seconds = Math.round((Date.now() - began) / 1000);
console.log(`${scenes.length} scenes, ${FORMS.length} forms, ${checks} checks, ${failures.length} failed; ${seconds} s`);
process.exitCode = failures.length ? 1 : 0;
