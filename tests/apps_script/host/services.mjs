// The smaller services, each with the limits that Google names.

import crypto from "node:crypto";
import { DAY, exception } from "./world.mjs";

const LARGEST_PROPERTY = 9 * 1024;
const LARGEST_STORE = 500 * 1024;
const MOST_ACCESSES = 50000; // reads and writes of properties, a day
const INTERVALS = [1, 5, 10, 15, 30];
const MOST_TRIGGERS = 20;

export function properties(world) {
  const stores = { script: new Map(), document: new Map() };
  const size = (store) =>
    [...store].reduce((sum, [name, value]) => sum + name.length + Buffer.byteLength(value), 0);
  const day = { since: 0, accesses: 0 };
  const counted = (what, milliseconds) => {
    world.serve(what, milliseconds);
    if (world.now() - day.since > DAY) Object.assign(day, { since: world.now(), accesses: 0 });
    if (++day.accesses > MOST_ACCESSES)
      throw exception("Service invoked too many times for one day: properties.");
  };
  const opened = (store) => ({
    getProperty: (name) => (counted("getProperty", 30), store.get(name) ?? null),
    setProperty(name, value) {
      counted("setProperty", 50);
      if (Buffer.byteLength(String(value)) > LARGEST_PROPERTY) throw exception("Argument too large: value");
      const others = size(new Map([...store].filter(([other]) => other !== name)));
      if (others + name.length + Buffer.byteLength(String(value)) > LARGEST_STORE)
        throw exception(
          "You have exceeded the property storage quota. Please remove some properties and try again.",
        );
      store.set(name, String(value));
    },
    deleteProperty: (name) => void store.delete(name),
  });
  const service = {
    getScriptProperties: () => opened(stores.script),
    getDocumentProperties: () => opened(stores.document),
    getUserProperties: () => opened((stores[world.user] ??= new Map())),
  };
  return { service, stores, day };
}

/** Locks are held by runs, and end with them. */
export function locks(world) {
  const holders = {};
  const lock = (name) => ({
    tryLock(milliseconds) {
      world.serve("tryLock", 50);
      const isFree = () => !holders[name] || holders[name].isOver || holders[name] === world.run;
      // Whoever holds it waits for the end of this run, which can only wait in vain.
      if (!isFree()) world.sleep(milliseconds);
      if (isFree()) holders[name] = world.run;
      return holders[name] === world.run;
    },
    waitLock(milliseconds) {
      if (!this.tryLock(milliseconds))
        throw exception("Lock timeout: another process was holding the lock for too long.");
    },
    releaseLock() {
      // Google asks for it: whoever gets the lock next would not see what was written.
      if (world.run.unseen.length > 0) throw new Error("SpreadsheetApp.flush() is missing before releaseLock().");
      if (holders[name] === world.run) delete holders[name];
    },
    hasLock: () => holders[name] === world.run,
  });
  return {
    getScriptLock: () => lock("script"),
    getDocumentLock: () => (world.run.kind === "web app" ? null : lock("document")),
    getUserLock: () => lock("user"),
  };
}

export function caches(world) {
  const kept = new Map();
  const cache = {
    get(key) {
      world.serve("cache.get", 20);
      const found = kept.get(key);
      return found && found.until > world.now() ? found.value : null;
    },
    put(key, value, seconds = 600) {
      world.serve("cache.put", 20);
      if (key.length > 250) throw exception("Argument too large: key");
      if (typeof value !== "string" || value.length > 100 * 1024) throw exception("Argument too large: value");
      if (seconds > 21600) throw exception("Invalid argument: expirationInSeconds");
      kept.set(key, { value, until: world.now() + seconds * 1000 });
    },
    remove: (key) => void kept.delete(key),
  };
  return { getScriptCache: () => cache, getUserCache: () => cache, getDocumentCache: () => cache };
}

export function utilities(world) {
  const signed = (buffer) => [...new Int8Array(buffer)];
  const text = (value) => (typeof value === "string" ? value : Buffer.from(Int8Array.from(value)));
  return {
    DigestAlgorithm: { SHA_256: "sha256", SHA_1: "sha1", MD5: "md5" },
    Charset: { UTF_8: "utf8", US_ASCII: "ascii" },
    sleep(milliseconds) {
      if (!(milliseconds >= 0 && milliseconds <= 300000)) throw exception(`Invalid argument: ${milliseconds}`);
      world.sleep(milliseconds);
      world.serve("sleep", 0);
    },
    getUuid: () => crypto.randomUUID(),
    computeDigest: (algorithm, value) => signed(crypto.createHash(algorithm).update(text(value)).digest()),
    computeHmacSha256Signature: (value, key) =>
      signed(crypto.createHmac("sha256", key).update(text(value)).digest()),
    base64Encode: (value) => Buffer.from(text(value)).toString("base64"),
    formatDate: (date, zone, pattern) => formatted(date, zone, pattern),
  };
}

/** Return a date as Java's SimpleDateFormat has it, as far as numbers and XXX go. */
function formatted(date, timeZone, pattern) {
  const options = { timeZone, hourCycle: "h23", timeZoneName: "longOffset" };
  const numbers = { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const format = new Intl.DateTimeFormat("en-GB", { ...options, ...numbers, year: "numeric" });
  const part = Object.fromEntries(format.formatToParts(date).map(({ type, value }) => [type, value]));
  const words = {
    yyyy: part.year.padStart(4, "0"),
    MM: part.month,
    dd: part.day,
    HH: part.hour,
    mm: part.minute,
    ss: part.second,
    XXX: /^GMT(.00:00)?$/.test(part.timeZoneName) ? "Z" : part.timeZoneName.slice(3, 9),
  };
  return pattern.replace(/'([^']*)'|([A-Za-z])\2*/g, (found, text) => text ?? words[found] ?? unknown(found));
}

function unknown(letters) {
  throw exception(`Illegal pattern character '${letters[0]}'`);
}

/** Triggers are of whoever made them: others neither see nor delete them. */
export function triggers(world) {
  const installed = [];
  const mine = () => installed.filter((trigger) => trigger.user === world.user);
  let number = 0;
  const built = (name, minutes) => {
    if (mine().length >= MOST_TRIGGERS)
      throw exception(
        "This script has too many triggers. Triggers must be deleted from the script before more can be added.",
      );
    world.serve("create", 300);
    const trigger = {
      name,
      minutes,
      id: String(++number),
      user: world.user,
      next: world.now() + minutes * 60000,
      getHandlerFunction: () => name,
      getUniqueId: () => trigger.id,
    };
    installed.push(trigger);
    return trigger;
  };
  const service = {
    getOAuthToken: () => "ya29.a-token-that-nobody-may-see",
    getProjectTriggers: () => (world.serve("getProjectTriggers", 200), mine()),
    deleteTrigger(trigger) {
      world.serve("deleteTrigger", 200);
      const at = installed.indexOf(trigger);
      if (at < 0)
        throw exception(
          "Unexpected error while getting the method or property deleteTrigger on object ScriptApp.",
        );
      installed.splice(at, 1);
    },
    newTrigger: (name) => ({
      timeBased: () => ({
        everyMinutes(minutes) {
          if (!INTERVALS.includes(minutes))
            throw exception(
              "The value you passed to everyMinutes was invalid. It must be one of 1, 5, 10, 15 or 30.",
            );
          return { create: () => built(name, minutes) };
        },
      }),
    }),
  };
  return { service, installed };
}
