// The sheet: which rows there are, what they ask for, and what became of them.
//
// The first row names the columns. Left of `status` stand the params, and `action` if rows differ in it; then come
// status, job, result and files, side by side, which this script writes; what stands right of them is yours.

/**
 * What a row says of itself. `column` is that of `status`; `key` is what the row is known by, wherever it is moved;
 * `jobId` is empty until it is sent.
 * @typedef {{sheet: GoogleAppsScript.Spreadsheet.Sheet, column: number, place: number, status: string, key: string,
 *            jobId: string}} Row
 */
/** What a row is to say from now on; what is left out stays.
 * @typedef {{status: string, jobId?: string, result?: any, files?: string}} Outcome
 */
/** What the bus is asked for.
 * @typedef {{action: string, params: Object<string, any>, idempotency_key: string, batch: string,
 *            callback_url?: string}} Submission
 */

const OWN_COLUMNS = ["status", "job", "result", "files"];
const LONGEST_CELL = 50000; // characters, Google's limit
const KEY = /^row-([0-9a-z]+)-[0-9a-f]{12}\.([a-z][a-z0-9_]*)$/;
const ENDINGS = ["complete", "failed", "cancelled", "given up"];

/** What cannot be done, in a sentence for whoever wanted it. */
class Impossible extends Error {}

/** @param {Row} row */
function isEnded_(row) {
  return !KEY.test(row.key) || ENDINGS.some((ending) => row.status.startsWith(ending));
}

/** @param {Row} row whether it is still to be sent */
function isWaiting_(row) {
  return !isEnded_(row) && row.jobId === "";
}

/** @param {Row} row whether it has a job that has not ended as far as is known */
function isOpen_(row) {
  return !isEnded_(row) && row.jobId !== "";
}

/** Return milliseconds since the row was marked. @param {Row} row */
function ageOf_(row) {
  const found = KEY.exec(row.key);
  return found ? Date.now() - parseInt(found[1], 36) : 0;
}

/** Return all rows with keys, of every sheet in which rows were marked. @returns {Row[]} */
function allRows_() {
  const known = knownSheets_();
  return SpreadsheetApp.getActiveSpreadsheet()
    .getSheets()
    .filter((sheet) => known.includes(sheet.getSheetId()))
    .flatMap((sheet) => rowsOf_(sheet).filter((row) => row.key !== ""));
}

/** Return the rows that the selection touches, but for those that a filter hides. @returns {Row[]} */
function selectedRows_() {
  const sheet = SpreadsheetApp.getActiveSheet();
  const places = new Set();
  for (const range of (sheet.getActiveRangeList() || { getRanges: () => [] }).getRanges()) {
    const last = Math.min(range.getLastRow(), sheet.getLastRow());
    for (let place = Math.max(2, range.getRow()); place <= last; place++) places.add(place);
  }
  const isFiltered = sheet.getFilter() !== null;
  return rowsOf_(sheet).filter(
    (row) => places.has(row.place) && !(isFiltered && sheet.isRowHiddenByFilter(row.place)),
  );
}

/**
 * Give each selected row that asks for something, and does not run, a key. Return how many there are.
 * @param {string} action its name; empty for the one that each row names
 * @param {string[]} needed params that it cannot do without
 */
function markedRows_(action, needed) {
  const sheet = SpreadsheetApp.getActiveSheet();
  addOwnColumns_(sheet);
  const missing = needed.filter((name) => !paramNames_(sheet).includes(name));
  if (missing.length > 0) {
    throw new Impossible(`${action} needs a column ${missing.join(", and one ")}, left of status.`);
  }
  const asked = paramsOf_(sheet);
  const rows = selectedRows_().filter((row) => isEnded_(row) && asked(row.place) !== null);
  const usual = action || setting_("AAFAI_ACTION");
  /** @type {Map<number, Outcome & {key: string}>} */
  const marks = new Map();
  for (const row of rows) marks.set(row.place, marked_(action || String(asked(row.place)?.action || usual)));
  if (rows.length === 0) return 0;
  // The trigger first: should this run be ended here, it finds nothing to do, or takes up what was marked.
  remember_("AAFAI_SHEETS", [...new Set([...knownSheets_(), sheet.getSheetId()])]);
  pollEvery_(1);
  write_(sheet, rows[0].column, marks);
  return rows.length;
}

/**
 * Return what waiting rows ask the bus for; a row whose key occurs twice, having been copied, only once.
 * @param {Row[]} rows
 * @returns {Map<string, Submission>} by key
 */
function submissionsOf_(rows) {
  const batch = `sheet-${SpreadsheetApp.getActiveSpreadsheet().getId()}`.slice(0, 128);
  const pushed = pushing_();
  const readers = new Map();
  const made = new Map();
  for (const row of rows) {
    const id = row.sheet.getSheetId();
    if (!readers.has(id)) readers.set(id, paramsOf_(row.sheet));
    const params = { ...(readers.get(id)(row.place) || {}) };
    delete params.action;
    const found = KEY.exec(row.key);
    if (!found || made.has(row.key)) continue;
    made.set(row.key, { action: found[2], params, idempotency_key: row.key, batch, ...pushed(row.key) });
  }
  return made;
}

/**
 * Write what became of rows. They are looked for anew, since rows may have been moved or deleted meanwhile.
 * @param {Map<string, Outcome>} outcomes by key
 */
function settleRows_(outcomes) {
  if (outcomes.size === 0) return;
  const sheets = new Map();
  for (const row of allRows_()) {
    const outcome = outcomes.get(row.key);
    if (!outcome) continue;
    const id = row.sheet.getSheetId();
    if (!sheets.has(id)) sheets.set(id, { sheet: row.sheet, column: row.column, marks: new Map() });
    sheets.get(id).marks.set(row.place, { ...outcome, key: row.key, jobId: outcome.jobId ?? row.jobId });
  }
  for (const { sheet, column, marks } of sheets.values()) write_(sheet, column, marks);
}

/**
 * Return a value as a cell can take it: text as text, whatever it begins with, and never too long.
 * @param {any} value
 */
function cell_(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "number" || typeof value === "boolean") return value;
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 1);
  if (text === "") return "";
  const note = `… (cut: it has ${text.length} characters, a cell holds ${LONGEST_CELL})`;
  // The apostrophe keeps Google Sheets from reading a formula, a date or a number into what a web page says.
  return `'${text.length < LONGEST_CELL ? text : text.slice(0, LONGEST_CELL - note.length - 1) + note}`;
}

/** @returns {number[]} the ids of the sheets in which rows were marked */
function knownSheets_() {
  return recalled_("AAFAI_SHEETS", /** @type {number[]} */ ([]));
}

/** @param {GoogleAppsScript.Spreadsheet.Sheet} sheet @returns {Row[]} */
function rowsOf_(sheet) {
  const column = ownColumn_(sheet);
  const height = sheet.getLastRow() - 1;
  if (column === 0 || height < 1) return [];
  return sheet
    .getRange(2, column, height, 2)
    .getValues()
    .map(([status, job], index) => {
      const [key, jobId = ""] = String(job).split(" ");
      return { sheet, column, place: index + 2, status: String(status), key, jobId };
    });
}

/**
 * Return a function that gives the params of a row by their names, or null where it has none.
 * @param {GoogleAppsScript.Spreadsheet.Sheet} sheet
 * @returns {(place: number) => Object<string, any> | null}
 */
function paramsOf_(sheet) {
  const width = ownColumn_(sheet) - 1;
  const height = sheet.getLastRow();
  if (width < 1 || height < 2) return () => null;
  const names = paramNames_(sheet);
  const rows = sheet.getRange(2, 1, height - 1, width).getValues();
  return (place) => {
    const filled = (rows[place - 2] || []).flatMap((value, index) => {
      return names[index] === "" || value === "" ? [] : [[names[index], param_(value)]];
    });
    return filled.length === 0 ? null : Object.fromEntries(filled);
  };
}

/** @param {GoogleAppsScript.Spreadsheet.Sheet} sheet @returns {string[]} */
function paramNames_(sheet) {
  const width = ownColumn_(sheet) - 1;
  if (width < 1) return [];
  return sheet
    .getRange(1, 1, 1, width)
    .getValues()[0]
    .map((name) => String(name).trim());
}

/** @param {any} value of a cell: a date is said in ISO 8601, a list or an object written as JSON is one */
function param_(value) {
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** @param {string} action */
function marked_(action) {
  const key = `row-${Date.now().toString(36)}-${Utilities.getUuid().replace(/-/g, "").slice(-12)}.${action}`;
  if (KEY.test(key)) return { status: "waiting", key, jobId: "", result: "", files: "" };
  const said =
    action === ""
      ? "No action: fill in a column named action, or the setting AAFAI_ACTION."
      : `No action can be named ${JSON.stringify(action)}.`;
  return { status: "failed", key: "", jobId: "", result: said, files: "" };
}

/** @param {GoogleAppsScript.Spreadsheet.Sheet} sheet */
function addOwnColumns_(sheet) {
  if (ownColumn_(sheet) > 0) return;
  const first = sheet.getLastColumn() + 1;
  if (first === 1) throw new Impossible("The sheet is empty. Name the params in its first row, such as url.");
  const missing = first + OWN_COLUMNS.length - 1 - sheet.getMaxColumns();
  if (missing > 0) sheet.insertColumnsAfter(sheet.getMaxColumns(), missing);
  sheet.getRange(1, first, 1, OWN_COLUMNS.length).setValues([OWN_COLUMNS]);
}

/** Return the column of `status`, 0 without one. @param {GoogleAppsScript.Spreadsheet.Sheet} sheet */
function ownColumn_(sheet) {
  const width = sheet.getLastColumn();
  if (width === 0) return 0;
  const names = sheet
    .getRange(1, 1, 1, width)
    .getValues()[0]
    .map((name) => String(name).trim().toLowerCase());
  const first = names.indexOf("status");
  if (first >= 0 && OWN_COLUMNS.some((name, index) => names[first + index] !== name)) {
    throw new Impossible("The columns status, job, result and files must stand side by side in this order.");
  }
  return first + 1;
}

/**
 * Write rows, those that stand together at once, and in each only what the outcome says.
 * @param {GoogleAppsScript.Spreadsheet.Sheet} sheet
 * @param {number} column that of `status`
 * @param {Map<number, Outcome & {key: string}>} marks by place
 */
function write_(sheet, column, marks) {
  const places = [...marks.keys()].sort((one, other) => one - other);
  while (places.length > 0) {
    const top = places[0];
    const width = widthOf_(marks.get(top));
    const cells = [];
    while (places[0] === top + cells.length && widthOf_(marks.get(places[0])) === width) {
      cells.push(cellsOf_(marks.get(/** @type {number} */ (places.shift()))).slice(0, width));
    }
    sheet.getRange(top, column, cells.length, width).setValues(cells);
  }
}

/** @param {(Outcome & {key: string}) | undefined} mark */
function cellsOf_(mark) {
  if (!mark) return [];
  const job = mark.jobId ? `${mark.key} ${mark.jobId}` : mark.key;
  return [cell_(mark.status), job, cell_(mark.result), mark.files || ""];
}

/** @param {(Outcome & {key: string}) | undefined} mark how many columns it fills */
function widthOf_(mark) {
  if (!mark || mark.result === undefined) return 2;
  return mark.files === undefined ? 3 : 4;
}
