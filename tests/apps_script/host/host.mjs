// Google Apps Script in Node: runs the functions of .gs files as Google does, a run at a time, as the test says.
//
//     node host.mjs OPTIONS FILE...
//
// The test speaks JSON, a line a message: it has functions run and triggers fire, and is asked for what comes over the
// network. While it is asked it may have another run begin, as Google may.

import fs from "node:fs";
import vm from "node:vm";
import { fetching } from "./fetching.mjs";
import { caches, locks, properties, triggers, utilities } from "./services.mjs";
import { Sheet } from "./sheet.mjs";
import { exception, Terminated, World } from "./world.mjs";

const DAILY_TRIGGER_TIME = 90 * 60 * 1000;

const [options, ...files] = process.argv.slice(2);
const { now, isReal, settings, sheets, serviceUrl } = JSON.parse(options);
const world = new World({ now, isReal });
const store = properties(world);
const clockwork = triggers(world);
const shown = { toasts: [], menu: [], sidebar: null };
const tables = sheets.map(({ name, rows }, index) => new Sheet(world, name, index * 1000, rows));
const spent = new Map();
let active = tables[0];

Object.entries(settings).forEach(([name, value]) => store.stores.script.set(name, value));

const book = {
  getId: () => "1AbC-dEf_0123456789",
  getSheets: () => [...tables],
  getActiveSheet: () => active,
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
    getActiveSheet: () => active,
    getUi: () => {
      if (world.run.kind !== "person") throw exception("Cannot call SpreadsheetApp.getUi() from this context.");
      return ui;
    },
  },
  UrlFetchApp: fetching(world, perform),
  PropertiesService: store.service,
  LockService: locks(world),
  CacheService: caches(world),
  Utilities: utilities(world),
  ScriptApp: { ...clockwork.service, getService: () => ({ getUrl: () => serviceUrl }) },
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

/** Let the test do a request. It may have other runs begin before it answers. */
function perform(request) {
  world.tell({ fetch: request, now: world.now() });
  for (;;) {
    const message = world.hear();
    if (message.answer) {
      if (!world.isReal) world.sleep((message.answer.seconds || 0) * 1000);
      return message.answer;
    }
    world.tell({ done: obey(message) ?? null });
  }
}

/** Run a function as Google does, and tell how it ended. */
function ran(name, { given = [], kind = "person", endsAt = 0 }) {
  const run = { name, kind, began: world.now(), calls: 0, fetches: 0, endsAt, ended: "", isOver: false };
  const told = { name, kind, value: null, error: "" };
  world.runs.push(run);
  try {
    const value = vm.runInContext(name, context)(...given);
    told.value = value?.content ?? value ?? null;
  } catch (error) {
    told.error = run.ended || `${error.name}: ${error.message}`;
    if (!(error instanceof Terminated)) told.stack = error.stack;
  }
  if (run.ended) told.error = run.ended;
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
    runs.push(fired(next.name));
  }
  if (!world.isReal) world.offset = Math.max(world.offset, until);
  return runs;
}

function fired(name, more = {}) {
  const day = utilities(world).formatDate(new Date(world.now()), "America/Los_Angeles");
  if ((spent.get(day) || 0) > DAILY_TRIGGER_TIME)
    return {
      name,
      kind: "trigger",
      error: "Service using too much computer time for one day",
      seconds: 0,
      calls: 0,
      fetches: 0,
    };
  const run = ran(name, { ...more, kind: "trigger" });
  spent.set(day, (spent.get(day) || 0) + run.seconds * 1000);
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
  if (message.edit) return edited(message);
  return {
    now: world.now(),
    sheets: Object.fromEntries(
      tables.map((sheet) => [sheet.name, { rows: sheet.rows, formulas: sheet.formulas }]),
    ),
    triggers: clockwork.installed.map(({ name, minutes }) => ({ name, minutes })),
    properties: Object.fromEntries(
      Object.entries(store.stores).map(([name, kept]) => [name, Object.fromEntries(kept)]),
    ),
    spent: Object.fromEntries(spent),
    shown,
  };
}

/** What somebody does to the sheet by hand. */
function edited({ edit, place, column, value, setting, hidden }) {
  if (edit === "delete row") active.rows.splice(place - 1, 1);
  if (edit === "insert row") active.rows.splice(place - 1, 0, []);
  if (edit === "copy row") active.rows.splice(place, 0, [...active.rows[place - 1]]);
  if (edit === "cell") active.rows[place - 1][column - 1] = value;
  if (edit === "setting") store.stores.script.set(setting, value);
  if (edit === "filter") Object.assign(active, { isFiltered: true, hidden: new Set(hidden) });
  return null;
}

for (let message = world.hear(); message !== null; message = world.hear())
  world.tell({ done: obey(message) ?? null });
