// SpreadsheetApp: one spreadsheet whose sheets read what is written into them as Google's do.

import { exception } from "./world.mjs";

const LONGEST_CELL = 50000;

export class Sheet {
  constructor(world, name, id, rows) {
    Object.assign(this, {
      world,
      name,
      id,
      rows,
      columns: 26,
      selected: [],
      hidden: new Set(),
      isFiltered: false,
      isProtected: false,
      plainColumns: new Set(),
    });
    this.formulas = 0;
  }

  getName() {
    return this.name;
  }

  getSheetId() {
    return this.id;
  }

  getMaxColumns() {
    return this.columns;
  }

  getLastRow() {
    this.#read("getLastRow", 20);
    return this.rows.findLastIndex((row) => row.some((cell) => cell !== "" && cell !== undefined)) + 1;
  }

  getLastColumn() {
    this.#read("getLastColumn", 20);
    return Math.max(
      0,
      ...this.rows.map((row) => row.findLastIndex((cell) => cell !== "" && cell !== undefined) + 1),
    );
  }

  getRange(row, column, height = 1, width = 1) {
    if (![row, column, height, width].every(Number.isInteger))
      throw exception("The parameters don't match the method signature for SpreadsheetApp.Sheet.getRange.");
    if (row < 1 || column < 1 || column + width - 1 > this.columns)
      throw exception("The coordinates of the range are outside the dimensions of the sheet.");
    if (height < 1) throw exception("The number of rows in the range must be at least 1.");
    if (width < 1) throw exception("The number of columns in the range must be at least 1.");
    return new Range(this, row, column, height, width);
  }

  #read(what, milliseconds) {
    this.world.serve(what, milliseconds);
    this.world.flush();
  }

  insertColumnsAfter(after, many) {
    this.world.serve("insertColumnsAfter", 300);
    this.columns += many;
  }

  getActiveRangeList() {
    if (this.selected.length === 0) return null;
    return {
      getRanges: () => this.selected.map(([first, last]) => new Range(this, first, 1, last - first + 1, 1)),
    };
  }

  getFilter() {
    return this.isFiltered ? {} : null;
  }

  isRowHiddenByFilter(row) {
    this.world.serve("isRowHiddenByFilter", 2);
    return this.hidden.has(row);
  }
}

class Range {
  constructor(sheet, row, column, height, width) {
    Object.assign(this, { sheet, row, column, height, width });
  }

  getRow() {
    return this.row;
  }

  getLastRow() {
    return this.row + this.height - 1;
  }

  getValues() {
    this.sheet.world.serve("getValues", 150 + (this.height * this.width) / 10);
    this.sheet.world.flush();
    const line = (row) =>
      Array.from({ length: this.width }, (_, index) => this.sheet.rows[row - 1]?.[this.column - 1 + index] ?? "");
    return Array.from({ length: this.height }, (_, index) => line(this.row + index));
  }

  setValue(value) {
    this.setValues(Array.from({ length: this.height }, () => Array(this.width).fill(value)));
  }

  setValues(values) {
    this.sheet.world.serve("setValues", 300 + (this.height * this.width) / 5);
    if (values.length !== this.height) throw mismatch("rows", values.length, this.height);
    const odd = values.find((row) => row.length !== this.width);
    if (odd) throw mismatch("columns", odd.length, this.width);
    values.flat().forEach(refuseTooLong);
    if (this.sheet.isProtected)
      throw exception("You are trying to edit a protected cell or object. Please contact the spreadsheet owner.");
    this.sheet.world.write(() => this.#fill(values));
  }

  #fill(values) {
    values.forEach((row, down) => {
      const at = this.row - 1 + down;
      while (this.sheet.rows.length <= at) this.sheet.rows.push([]);
      while (this.sheet.rows[at].length < this.column - 1) this.sheet.rows[at].push("");
      row.forEach((value, right) => {
        this.sheet.rows[at][this.column - 1 + right] = this.#taken(value, this.column + right);
      });
    });
  }

  /** What a cell makes of a value: as if it were typed. */
  #taken(value, column) {
    if (value === null || value === undefined) return "";
    if (typeof value !== "string")
      return value instanceof Date || typeof value !== "object" ? value : String(value);
    // Reports say that a cell of plain text shows the apostrophe: it needs none.
    if (this.sheet.plainColumns.has(column)) return value;
    if (value.startsWith("'")) return value.slice(1);
    if (/^[=+]./.test(value)) {
      this.sheet.formulas += 1;
      return "#NAME?";
    }
    if (value !== "" && !Number.isNaN(Number(value))) return Number(value);
    if (/^(true|false)$/i.test(value)) return value.toLowerCase() === "true";
    return /^\d{1,4}[-/]\d{1,2}([-/]\d{1,4})?$/.test(value) ? new Date(value) : value;
  }
}

function refuseTooLong(value) {
  if (typeof value === "string" && value.length > LONGEST_CELL) {
    throw exception("Your input contains more than the maximum of 50000 characters in a single cell.");
  }
}

function mismatch(what, given, wanted) {
  return exception(
    `The number of ${what} in the data does not match the number of ${what} in the range. The data has ${given} but the range has ${wanted}.`,
  );
}
