// What is remembered between runs, and the one trigger that polls for all jobs.
//
// Jobs are remembered by their rows. What else there is fits into a few small properties: one holds 9 KB. Each is
// written by runs that exclude each other. Triggers, and their minutes, are those of the person who runs rows.

/**
 * How far the machine is. `operation` is how a start is getting on, `tries` how often none was to be had,
 * `notBefore` when to try again, `onSince` when it was first seen running without a bus.
 * @typedef {{url: string, operation: string, tries: number, notBefore: number, onSince: number}} State
 */

const DAY = 24 * 60 * 60 * 1000;
const DAILY_MINUTES = 90; // of all triggers together, for an account that is not a company's
const GIVE_UP_STARTING = 60 * 60 * 1000;
/** @type {State} */
const UNKNOWN = { url: "", operation: "", tries: 0, notBefore: 0, onSince: 0 };

/** Return a setting, which is a script property. @param {string} name @param {string} [otherwise] */
function setting_(name, otherwise = "") {
  return (PropertiesService.getScriptProperties().getProperty(name) || otherwise).trim();
}

/** Return a setting that must be there. @param {string} name */
function needed_(name) {
  const value = setting_(name);
  if (value === "") throw new Impossible(`The setting ${name} is missing: Project settings → Script properties.`);
  return value;
}

/** What is remembered for each person, and not for the spreadsheet. */
const PERSONAL = ["AAFAI_MINUTES", "AAFAI_SPENT"];

/** @param {string} name */
function memoryOf_(name) {
  return PERSONAL.includes(name)
    ? PropertiesService.getUserProperties()
    : PropertiesService.getDocumentProperties();
}

/** Return what is remembered under a name. @template T @param {string} name @param {T} otherwise @returns {T} */
function recalled_(name, otherwise) {
  const kept = memoryOf_(name).getProperty(name);
  return kept === null ? otherwise : JSON.parse(kept);
}

/** Remember something under a name. @param {string} name @param {any} value */
function remember_(name, value) {
  memoryOf_(name).setProperty(name, JSON.stringify(value));
}

/** Return how far the machine is. @returns {State} */
function state_() {
  return { ...UNKNOWN, ...recalled_("AAFAI_MACHINE", UNKNOWN) };
}

/** Remember how far the machine is. @param {Partial<State>} news */
function becomes_(news) {
  remember_("AAFAI_MACHINE", { ...state_(), ...news });
}

/** Return what stands in the way, in a sentence; empty when nothing does. */
function problem_() {
  return recalled_("AAFAI_PROBLEM", "");
}

/** Remember what stands in the way. @param {string} problem */
function saying_(problem) {
  if (problem !== problem_()) remember_("AAFAI_PROBLEM", problem.slice(0, 1000));
}

/**
 * Give up what is too old, and poll for the rest: less and less often, and not at all when none is left.
 * @returns {Row[]} all rows
 */
function setTrigger_() {
  const rows = allRows_();
  const old = tooOld_(rows);
  const left = rows.filter((row) => !isEnded_(row) && !old.has(row.key));
  // The trigger first: cells that nobody may write into do not keep it for ever.
  pollEvery_(left.length === 0 ? 0 : minutesFor_(left));
  settleRows_(old);
  // Somebody may have marked rows while the trigger was being deleted.
  if (left.length === 0 && !allRows_().every(isEnded_)) pollEvery_(1);
  return rows;
}

/**
 * Have jobs polled for every so many minutes (1, 5, 10, 15 or 30), or no more.
 * @param {number} minutes 0 for no more
 */
function pollEvery_(minutes) {
  const ours = ScriptApp.getProjectTriggers().filter((trigger) => trigger.getHandlerFunction() === "pollJobs");
  if (minutes > 0 && ours.length === 1 && recalled_("AAFAI_MINUTES", 0) === minutes) return;
  remember_("AAFAI_MINUTES", 0);
  // The new one first: whatever ends this run in between, one is left.
  if (minutes > 0) ScriptApp.newTrigger("pollJobs").timeBased().everyMinutes(minutes).create();
  ours.forEach((trigger) => ScriptApp.deleteTrigger(trigger));
  remember_("AAFAI_MINUTES", minutes);
}

/**
 * Return what to say in rows of which nothing was heard for too long. Refresh asks about them once more.
 * @param {Row[]} rows
 * @returns {Map<string, Outcome>}
 */
function tooOld_(rows) {
  const oldest = Number(setting_("AAFAI_MAX_AGE_HOURS", "24")) * 60 * 60 * 1000;
  const unsent = rows.filter((row) => isWaiting_(row) && ageOf_(row) > GIVE_UP_STARTING);
  const result = `It could not be sent for an hour. ${problem_()} Run it again.`;
  const unheard = rows.filter((row) => isOpen_(row) && ageOf_(row) > oldest);
  const status = `given up: no end in ${oldest / 3600000} hours. Refresh asks once more.`;
  return new Map([
    ...unsent.map((row) => /** @type {[string, Outcome]} */ ([row.key, { status: "failed", result }])),
    ...unheard.map((row) => /** @type {[string, Outcome]} */ ([row.key, { status }])),
  ]);
}

/** Take up again the rows that were given up, until the next time that their age is looked at. */
function reviveRows_() {
  const rows = allRows_().filter((row) => row.jobId !== "" && row.status.startsWith("given up"));
  settleRows_(new Map(rows.map((row) => [row.key, { status: "asked once more" }])));
}

/** Return how many minutes triggers may still run today. */
function triggerMinutesLeft_() {
  return DAILY_MINUTES - triggerTime_().spent / 60000;
}

/** Count the time that a trigger has run. @param {number} milliseconds */
function spendTriggerTime_(milliseconds) {
  const { since, spent } = triggerTime_();
  remember_("AAFAI_SPENT", { since, spent: spent + milliseconds });
}

/** Return what triggers have spent, in milliseconds, and since when: a day of Google's begins with the first use. */
function triggerTime_() {
  const counted = recalled_("AAFAI_SPENT", { since: 0, spent: 0 });
  return Date.now() - counted.since < DAY ? counted : { since: Date.now(), spent: 0 };
}

/**
 * The bus keeps its machine on for a quarter of an hour for results that nobody has read: never ask less often than
 * that while it runs, unless the day's minutes run out.
 * @param {Row[]} rows
 */
function minutesFor_(rows) {
  if (triggerMinutesLeft_() < DAILY_MINUTES / 3) return 30;
  if (rows.some(isWaiting_)) return state_().tries > 2 ? 5 : 1;
  if (setting_("AAFAI_PUSH_URL") !== "") return 30;
  const youngest = Math.min(...rows.map(ageOf_)) / 60000;
  const minutes = youngest < 15 ? 1 : youngest < 60 ? 5 : 10;
  return state_().url === "" ? Math.max(5, minutes) : minutes;
}
