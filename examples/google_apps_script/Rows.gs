// The sheet: which rows there are, what they ask for, and what became of them.
//
// The first row names the columns. Left of `key` stand the params, and `action` if rows differ in it; then come key,
// status, job, result and files, side by side, which this script writes; what stands right of them is yours.

/**
 * What a row says of itself. `column` is that of `key`, by which the row is known wherever it is moved; `jobId` is
 * empty until it is sent; `params` are null where there are none, or were not read.
 * @typedef {{sheet: GoogleAppsScript.Spreadsheet.Sheet, column: number, place: number, key: string, status: string,
 *            jobId: string, params: Object<string, any> | null}} Row
 */
/** What the bus is asked for.
 * @typedef {{action: string, params: Object<string, any>, idempotency_key: string, batch: string,
 *            callback_url?: string}} Submission
 */

const OWN_COLUMNS = ["key", "status", "job", "result", "files"];
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

/**
 * Return all rows with keys, of every sheet in which rows were marked.
 * @param {boolean} [isWhole] whether with their params
 * @returns {Row[]}
 */
function allRows_(isWhole = false) {
  const known = knownSheets_();
  return SpreadsheetApp.getActiveSpreadsheet()
    .getSheets()
    .filter((sheet) => known.includes(sheet.getSheetId()))
    .flatMap((sheet) => rowsOf_(sheet, isWhole).filter((row) => row.key !== ""));
}

/** Return the rows that the selection touches, but for those that a filter hides, whole. @returns {Row[]} */
function selectedRows_() {
  const sheet = SpreadsheetApp.getActiveSheet();
  const places = new Set();
  for (const range of (sheet.getActiveRangeList() || { getRanges: () => [] }).getRanges()) {
    const last = Math.min(range.getLastRow(), sheet.getLastRow());
    for (let place = Math.max(2, range.getRow()); place <= last; place++) places.add(place);
  }
  const isFiltered = sheet.getFilter() !== null;
  return rowsOf_(sheet, true).filter(
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
  refuseNames_(sheet, action, needed);
  const rows = selectedRows_().filter((row) => isEnded_(row) && row.params !== null);
  if (rows.length === 0) return 0;
  const usual = action || setting_("AAFAI_ACTION");
  // The trigger first: should this run be ended here, it finds nothing to do, or takes up what was marked.
  remember_("AAFAI_SHEETS", [...new Set([...knownSheets_(), sheet.getSheetId()])]);
  pollEvery_(1);
  const marks = new Map();
  for (const { place, params } of rows) {
    const { key, status, result } = marked_(action || String(params?.action || usual));
    marks.set(place, [key, status, "", cell_(result), ""]);
  }
  fill_(sheet, rows[0].column, marks);
  // Google writes when it likes: whoever gets the lock next must see the keys.
  SpreadsheetApp.flush();
  return rows.length;
}

/**
 * Throw Impossible if a param that an action needs has no column, or two columns have one name.
 * @param {GoogleAppsScript.Spreadsheet.Sheet} sheet
 * @param {string} action
 * @param {string[]} needed
 */
function refuseNames_(sheet, action, needed) {
  const columns = columnNames_(sheet);
  const names = columns.slice(0, ownColumn_(columns) - 1);
  const missing = needed.filter((name) => !names.includes(name));
  if (missing.length > 0) {
    throw new Impossible(`${action} needs a column ${missing.join(", and one ")}, left of key.`);
  }
  const twice = names.find((name, index) => name !== "" && names.indexOf(name) !== index);
  if (twice) throw new Impossible(`Two columns are named ${twice}: rename one, or leave its name empty.`);
}

/**
 * Return what waiting rows ask the bus for; a row whose key occurs twice, having been copied, only once.
 * @param {Row[]} rows whole: read anew after what takes long, since keys and params must be of the same moment
 * @returns {Map<string, Submission>} by key
 */
function submissionsOf_(rows) {
  const batch = `sheet-${SpreadsheetApp.getActiveSpreadsheet().getId()}`.slice(0, 128);
  const pushed = pushing_();
  const made = new Map();
  for (const { key, params } of rows) {
    const found = KEY.exec(key);
    if (!found || made.has(key)) continue;
    const { action, ...rest } = params || {};
    made.set(key, { action: found[2], params: rest, idempotency_key: key, batch, ...pushed(key) });
  }
  return made;
}

/** @returns {number[]} the ids of the sheets in which rows were marked */
function knownSheets_() {
  return recalled_("AAFAI_SHEETS", /** @type {number[]} */ ([]));
}

/**
 * @param {GoogleAppsScript.Spreadsheet.Sheet} sheet
 * @param {boolean} isWhole
 * @returns {Row[]}
 */
function rowsOf_(sheet, isWhole) {
  const names = columnNames_(sheet);
  const column = ownColumn_(names);
  const height = sheet.getLastRow() - 1;
  if (column === 0 || height < 1) return [];
  const zone = isWhole ? SpreadsheetApp.getActiveSpreadsheet().getSpreadsheetTimeZone() : "";
  const first = isWhole ? 1 : column;
  return sheet
    .getRange(2, first, height, column + 3 - first)
    .getValues()
    .map((cells, index) => {
      const [key, status, jobId] = cells.splice(-3).map((cell) => String(cell).replace(/^'/, ""));
      return { sheet, column, place: index + 2, key, status, jobId, params: params_(names, cells, zone) };
    });
}

/**
 * Return the params of a row by their names, null where it has none.
 * @param {string[]} names of the columns
 * @param {any[]} cells
 * @param {string} zone of the spreadsheet
 * @returns {Object<string, any> | null}
 */
function params_(names, cells, zone) {
  const isFilled = (/** @type {any} */ cell, /** @type {number} */ index) => names[index] !== "" && cell !== "";
  if (!cells.some(isFilled)) return null;
  const filled = cells.map((cell, index) => (isFilled(cell, index) ? [[names[index], param_(cell, zone)]] : []));
  return Object.fromEntries(filled.flat());
}

/**
 * @param {any} value of a cell: a date is said in ISO 8601, a list or an object written as JSON is one
 * @param {string} zone of the spreadsheet, by which a date is the one that its cell shows
 */
function param_(value, zone) {
  if (value instanceof Date) return Utilities.formatDate(value, zone, "yyyy-MM-dd'T'HH:mm:ssXXX");
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
  if (KEY.test(key)) return { key, status: "waiting", result: "" };
  const said =
    action === ""
      ? "No action: fill in a column named action, or the setting AAFAI_ACTION."
      : `No action can be named ${JSON.stringify(action)}.`;
  return { key: "", status: "failed", result: said };
}

/** @param {GoogleAppsScript.Spreadsheet.Sheet} sheet */
function addOwnColumns_(sheet) {
  const names = columnNames_(sheet);
  if (ownColumn_(names) > 0) return;
  const first = names.length + 1;
  if (first === 1) throw new Impossible("The sheet is empty. Name the params in its first row, such as url.");
  if (names.filter((name) => OWN_COLUMNS.includes(name.toLowerCase())).length > 1) {
    throw new Impossible(`The columns ${OWN_COLUMNS.join(", ")} must stand side by side in this order.`);
  }
  const missing = first + OWN_COLUMNS.length - 1 - sheet.getMaxColumns();
  if (missing > 0) sheet.insertColumnsAfter(sheet.getMaxColumns(), missing);
  sheet.getRange(1, first, 1, OWN_COLUMNS.length).setValues([OWN_COLUMNS]);
}

/**
 * Return at which column the five of our own begin, 0 where they do not stand side by side: the rows of such a sheet
 * are out of sight until somebody has put them back.
 * @param {string[]} names of all columns
 */
function ownColumn_(names) {
  const lower = names.map((name) => name.toLowerCase());
  return 1 + lower.findIndex((_, first) => OWN_COLUMNS.every((name, index) => lower[first + index] === name));
}

/** @param {GoogleAppsScript.Spreadsheet.Sheet} sheet @returns {string[]} */
function columnNames_(sheet) {
  const width = sheet.getLastColumn();
  if (width === 0) return [];
  return sheet
    .getRange(1, 1, 1, width)
    .getValues()[0]
    .map((name) => String(name).trim());
}
