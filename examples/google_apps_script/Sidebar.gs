// The sidebar: the list of jobs, which asks the sheet, and not the bus, how they stand.

const SHOWN_ROWS = 200;

/** Return what the sidebar shows; tell when the last job has ended since it was asked before. */
function sidebarRows() {
  const rows = allRows_();
  const open = rows.filter((row) => !isEnded_(row));
  const cache = CacheService.getUserCache();
  if (open.length === 0 && Number(cache.get("AAFAI_OPEN")) > 0) {
    SpreadsheetApp.getActiveSpreadsheet().toast(told_(rows), "aafai-bus", 10);
  }
  cache.put("AAFAI_OPEN", String(open.length), 6 * 60 * 60);
  const newest = [...rows].sort((one, other) => ageOf_(one) - ageOf_(other)).slice(0, SHOWN_ROWS);
  const lines = newest.map((row) => ({ where: `${row.sheet.getName()} ${row.place}`, status: row.status }));
  return { summary: told_(rows), lines, more: rows.length - lines.length };
}

/** Return the sidebar. What the sheet says is shown as text, never as HTML. */
function sidebar_() {
  const page = `
<style>
  body { font: 13px sans-serif; }
  td { padding: 2px 6px 2px 0; vertical-align: top; }
  td:first-child { color: #666; white-space: nowrap; }
</style>
<p id="summary">Looking …</p>
<table id="lines"></table>
<p id="more"></p>
<script>
  function show(told) {
    document.getElementById("summary").textContent = told.summary;
    document.getElementById("more").textContent = told.more > 0 ? told.more + " older rows are not shown." : "";
    const table = document.getElementById("lines");
    table.replaceChildren();
    for (const line of told.lines) {
      const row = table.insertRow();
      row.insertCell().textContent = line.where;
      row.insertCell().textContent = line.status;
    }
  }
  function complain(error) {
    document.getElementById("summary").textContent = "This list cannot be had: " + error.message;
  }
  function look() {
    google.script.run.withSuccessHandler(show).withFailureHandler(complain).sidebarRows();
  }
  look();
  setInterval(look, 20000);
</script>`;
  return HtmlService.createHtmlOutput(page).setTitle("aafai-bus");
}
