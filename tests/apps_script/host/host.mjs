// Google Apps Script in Node: runs the functions of .gs files as Google does, a run at a time, as the test says.
//
//     node host.mjs OPTIONS FILE...
//
// The test speaks JSON, a line a message: it has functions run and triggers fire, and is asked for what comes over the
// network. While it is asked it may have another run begin, as Google may.

import fs from "node:fs";
import vm from "node:vm";
import { fetching } from "./fetching.mjs";
import { edited } from "./hands.mjs";
import { caches, locks, properties, triggers, utilities } from "./services.mjs";
import { Sheet } from "./sheet.mjs";
import { DAY, exception, Terminated, World } from "./world.mjs";

const DAILY_TRIGGER_TIME = 90 * 60 * 1000;

const [options, ...files] = process.argv.slice(2);
const { now, isReal, settings, sheets } = JSON.parse(options);
const world = new World({ now, isReal, pause: () => asked({ paused: true }) });
const store = properties(world);
const clockwork = triggers(world);
const shown = { toasts: [], menu: [], sidebar: null };
const tables = sheets.map(({ name, rows }, index) => new Sheet(world, name, index * 1000, rows));
const days = [];
let active = tables[0];

Object.entries(settings).forEach(([name, value]) => store.stores.script.set(name, value));

const book = {
  getId: () => "1AbC-dEf_0123456789",
  getSheets: () => [...tables],
  getActiveSheet: () => (world.run?.kind === "trigger" ? tables[0] : active),
  getSpreadsheetTimeZone: () => "Europe/Berlin",
  toast: (message, title = "", seconds = 5) => {
    world.serve("toast", 100);
    shown.toasts.push({ message, title, seconds, by: world.run.kind });
  },
};
const ui = {
  createMenu: (name) => {
    const items = [];
    const menu = {
      addItem: (caption, name) => (items.push({ caption, name }), menu),
      addSeparator: () => menu,
      addToUi: () => void shown.menu.push({ name, items }),
    };
    return menu;
  },
  showSidebar: (page) => void (shown.sidebar = page),
};

class ScriptDate extends Date {
  constructor(...given) {
    super(...(given.length === 0 ? [world.now()] : given));
  }

  static now() {
    return world.now();
  }

  static [Symbol.hasInstance](value) {
    return Object.prototype.toString.call(value) === "[object Date]";
  }
}

const context = vm.createContext({
  console,
  Date: ScriptDate,
  Error,
  SpreadsheetApp: {
    getActiveSpreadsheet: () => book,
    getActive: () => book,
    getActiveSheet: book.getActiveSheet,
    flush: () => (world.serve("flush", 300), world.flush()),
    getUi: () => {
      if (!["person", "simple trigger"].includes(world.run.kind))
        throw exception("Cannot call SpreadsheetApp.getUi() from this context.");
      return ui;
    },
  },
  UrlFetchApp: fetching(world, perform),
  PropertiesService: store.service,
  LockService: locks(world),
  CacheService: caches(world),
  Utilities: utilities(world),
  ScriptApp: clockwork.service,
  HtmlService: {
    createHtmlOutput: (content) => {
      const page = {
        content,
        title: "",
        setTitle: (title) => ((page.title = title), page),
        getContent: () => content,
      };
      return page;
    },
  },
});
for (const file of files) vm.runInContext(fs.readFileSync(file, "utf8"), context, { filename: file });

/** Let the test do a request. */
function perform(request) {
  const answer = asked({ fetch: request, now: world.now() });
  if (!world.isReal) world.sleep((answer.seconds || 0) * 1000);
  return answer;
}

/** Ask the test, which may have other runs begin before it answers. */
function asked(question) {
  world.tell(question);
  for (;;) {
    const message = world.hear();
    if (message.answer) return message.answer;
    world.tell({ done: obey(message) ?? null });
  }
}

/** Run a function as Google does, and tell how it ended. */
function ran(name, { given = [], kind = "person", user = "ann", endsAt = 0, pausesAt = 0 }) {
  const counts = { began: world.now(), calls: 0, fetches: 0 };
  const run = { kind, user, endsAt, pausesAt, ...counts, ended: "", isOver: false, unseen: [] };
  const told = { name, kind, value: null, error: "" };
  world.runs.push(run);
  try {
    if (kind === "person" && name.endsWith("_")) throw exception(`Script function not found: ${name}`);
    const value = vm.runInContext(name, context)(...given);
    told.value = value?.content ?? value ?? null;
  } catch (error) {
    told.error = run.ended || `${error.name}: ${error.message}`;
    if (!(error instanceof Terminated)) told.stack = error.stack;
  }
  if (run.ended) told.error = run.ended;
  else world.flush();
  run.isOver = true;
  world.runs.pop();
  return { ...told, seconds: (world.now() - run.began) / 1000, calls: run.calls, fetches: run.fetches };
}

/** Let time pass and triggers fire, one after another. */
function passed(minutes) {
  const until = world.now() + minutes * 60000;
  const runs = [];
  for (;;) {
    const [next] = clockwork.installed
      .filter((trigger) => trigger.next <= until)
      .sort((one, other) => one.next - other.next);
    if (!next) break;
    if (!world.isReal) world.offset = Math.max(world.offset, next.next);
    next.next = world.now() + next.minutes * 60000;
    runs.push(fired(next.name, { user: next.user }));
  }
  if (!world.isReal) world.offset = Math.max(world.offset, until);
  return runs;
}

/** Let a trigger fire. A day begins with the first time that one does. */
function fired(name, more = {}) {
  if (!days.length || world.now() - days.at(-1).since > DAY) days.push({ since: world.now(), spent: 0 });
  const day = days.at(-1);
  if (day.spent > DAILY_TRIGGER_TIME)
    return {
      name,
      kind: "trigger",
      error: "Service using too much computer time for one day",
      seconds: 0,
      calls: 0,
      fetches: 0,
    };
  const run = ran(name, { ...more, kind: "trigger" });
  day.spent += run.seconds * 1000;
  return run;
}

function obey(message) {
  if (message.run) return ran(message.run, message);
  if (message.fire) return fired(message.fire, message);
  if (message.pass !== undefined) return passed(message.pass);
  if (message.evaluate) return vm.runInContext(message.evaluate, context);
  if (message.select) {
    active = tables.find((sheet) => sheet.name === message.select) || active;
    active.selected = message.rows;
    return null;
  }
  if (message.edit) return edited(message, { tables, active, settings: store.stores.script });
  return {
    now: world.now(),
    sheets: Object.fromEntries(
      tables.map((sheet) => [sheet.name, { rows: sheet.rows, formulas: sheet.formulas }]),
    ),
    triggers: clockwork.installed.map(({ name, minutes }) => ({ name, minutes })),
    spent: days.map((day) => day.spent),
    accesses: store.day.accesses,
    shown,
  };
}

for (let message = world.hear(); message !== null; message = world.hear())
  world.tell({ done: obey(message) ?? null });
