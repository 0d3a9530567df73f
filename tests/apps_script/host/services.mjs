// The smaller services, each with the limits that Google names.

import crypto from "node:crypto";
import { exception } from "./world.mjs";

const LARGEST_PROPERTY = 9 * 1024;
const LARGEST_STORE = 500 * 1024;
const INTERVALS = [1, 5, 10, 15, 30];
const MOST_TRIGGERS = 20;

export function properties(world) {
  const stores = { script: new Map(), document: new Map(), user: new Map() };
  const size = (store) =>
    [...store].reduce((sum, [name, value]) => sum + name.length + Buffer.byteLength(value), 0);
  const opened = (store) => ({
    getProperty: (name) => (world.serve("getProperty", 30), store.get(name) ?? null),
    setProperty(name, value) {
      world.serve("setProperty", 50);
      if (Buffer.byteLength(String(value)) > LARGEST_PROPERTY) throw exception("Argument too large: value");
      store.set(name, String(value));
      if (size(store) > LARGEST_STORE)
        throw exception(
          "You have exceeded the property storage quota. Please remove some properties and try again.",
        );
    },
    deleteProperty: (name) => void store.delete(name),
  });
  const service = {
    getScriptProperties: () => opened(stores.script),
    getDocumentProperties: () => opened(stores.document),
    getUserProperties: () => opened(stores.user),
  };
  return { service, stores };
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
      if (holders[name] === world.run) delete holders[name];
    },
    hasLock: () => holders[name] === world.run,
  });
  return {
    getScriptLock: () => lock("script"),
    getDocumentLock: () => lock("document"),
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
    formatDate: (date, zone) =>
      new Intl.DateTimeFormat("en-CA", { timeZone: zone, dateStyle: "short" }).format(date),
  };
}

export function triggers(world) {
  const installed = [];
  let number = 0;
  const built = (name, minutes) => {
    if (installed.length >= MOST_TRIGGERS)
      throw exception(
        "This script has too many triggers. Triggers must be deleted from the script before more can be added.",
      );
    world.serve("create", 300);
    const trigger = {
      name,
      minutes,
      id: String(++number),
      next: world.now() + minutes * 60000,
      getHandlerFunction: () => name,
      getUniqueId: () => trigger.id,
    };
    installed.push(trigger);
    return trigger;
  };
  const service = {
    getOAuthToken: () => "ya29.a-token-that-nobody-may-see",
    getProjectTriggers: () => (world.serve("getProjectTriggers", 200), [...installed]),
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
