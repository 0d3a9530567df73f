// What people do by hand: to the sheet that is shown, and to the settings.

export function edited({ edit, place, column, value, setting, hidden }, { tables, active, settings }) {
  const { rows } = active;
  if (edit === "delete row") rows.splice(place - 1, 1);
  if (edit === "insert row") rows.splice(place - 1, 0, []);
  if (edit === "copy row") rows.splice(place, 0, [...rows[place - 1]]);
  if (edit === "turn round") rows.push(...rows.splice(1).reverse());
  if (edit === "cell") rows[place - 1][column - 1] = value;
  if (edit === "setting") settings.set(setting, value);
  if (edit === "filter") Object.assign(active, { isFiltered: true, hidden: new Set(hidden) });
  if (edit === "plain text") active.plainColumns.add(column);
  if (edit === "protect") active.isProtected = true;
  if (edit === "rename sheet") active.name = value;
  if (edit === "delete sheet") tables.splice(tables.indexOf(active), 1);
  return null;
}
