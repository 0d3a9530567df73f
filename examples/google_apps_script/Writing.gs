// What is written into rows: their own outcome, as a cell can take it, however they are moved meanwhile.

const LONGEST_CELL = 50000; // characters, Google's limit

/** What a row is to say from now on; what is left out stays.
 * @typedef {{status: string, jobId?: string, result?: any, files?: string}} Outcome
 */

/**
 * Write what became of rows. They are looked for anew, since rows may have been moved or deleted meanwhile.
 * @param {Map<string, Outcome>} outcomes by key
 */
function settleRows_(outcomes) {
  if (outcomes.size === 0) return;
  const rows = allRows_();
  const told = rows.filter((row) => outcomes.has(row.key));
  const sheets = [...new Set(told.map((row) => row.sheet))];
  const struck = sheets.flatMap((sheet) =>
    settled_(
      told.filter((row) => row.sheet === sheet),
      outcomes,
    ),
  );
  if (struck.length === 0) return;
  // Somebody has moved rows between the look and the writing. Write once more, and give those that were struck, but
  // not meant, their own back.
  const again = new Map();
  for (const row of rows) {
    const outcome = outcomes.get(row.key) || (struck.includes(row.key) ? restored_(row) : null);
    if (outcome) again.set(row.key, { jobId: row.jobId, ...outcome });
  }
  settleRows_(again);
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

/**
 * Write what became of rows of one sheet, and return the keys of others that stand in their places by now.
 * @param {Row[]} rows
 * @param {Map<string, Outcome>} outcomes by key
 * @returns {string[]}
 */
function settled_(rows, outcomes) {
  const { sheet, column } = rows[0];
  const lines = new Map();
  for (const row of rows) {
    const outcome = outcomes.get(row.key);
    if (outcome) lines.set(row.place, cellsOf_(row, outcome));
  }
  fill_(sheet, column + 1, lines);
  // Google writes when it likes, at the latest when it is asked to read.
  const keys = sheet.getRange(2, column, rows[rows.length - 1].place - 1, 1).getValues().flat();
  const struck = rows.filter((row) => keys[row.place - 2] !== row.key);
  if (struck.length === 0) return [];
  const nobodys = struck.filter((row) => keys[row.place - 2] === "");
  fill_(sheet, column + 1, new Map(nobodys.map((row) => [row.place, ["", "", "", ""]])));
  return struck.map((row) => keys[row.place - 2]);
}

/**
 * Return what a row said before another's outcome was written into it. A result is gone: it is asked for once more.
 * @param {Row} row
 * @returns {Outcome}
 */
function restored_(row) {
  const status = isEnded_(row) && row.jobId !== "" ? "asked once more" : row.status;
  return { status, result: "", files: "" };
}

/**
 * Write cells of rows, those that stand together at once.
 * @param {GoogleAppsScript.Spreadsheet.Sheet} sheet
 * @param {number} column the first to be written
 * @param {Map<number, any[]>} lines what to write, by place
 */
function fill_(sheet, column, lines) {
  const places = [...lines.keys()].sort((one, other) => one - other);
  const width = () => lines.get(places[0])?.length || 0;
  while (places.length > 0) {
    const [top, columns] = [places[0], width()];
    const cells = [];
    while (places[0] === top + cells.length && width() === columns) {
      cells.push(lines.get(/** @type {number} */ (places.shift())) || []);
    }
    sheet.getRange(top, column, cells.length, columns).setValues(cells);
  }
}

/** Return the cells right of a row's key that an outcome changes. @param {Row} row @param {Outcome} outcome */
function cellsOf_(row, { status, jobId = row.jobId, result, files }) {
  const cells = [cell_(status), cell_(jobId), cell_(result), files];
  return result === undefined ? cells.slice(0, 2) : files === undefined ? cells.slice(0, 3) : cells;
}
