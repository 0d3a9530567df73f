/**
 * Run actions of an aafai-bus for rows of this sheet: the menu, and what its entries do.
 *
 * Nothing is remembered but what stands in the sheet and a few words of state, so whatever breaks off in the
 * middle is taken up again by the next run: a row that waits keeps its idempotency key until it has a job.
 *
 * @OnlyCurrentDoc
 */

// How long a run that somebody started may wait for the machine. Google ends it after six minutes, of which a silent
// address can take one for each request.
const PATIENCE = 3.5 * 60 * 1000;
// How long one that the trigger started may: its minutes are counted, 90 a day.
const TRIGGER_PATIENCE = 20 * 1000;

/** Add the menu. Google calls this when the spreadsheet is opened. */
function onOpen() {
  const menu = SpreadsheetApp.getUi().createMenu("aafai-bus");
  menu.addItem("Run for the selected rows", "runSelectedRows");
  if (typeof addActions_ === "function") addActions_(menu);
  menu
    .addSeparator()
    .addItem("Refresh", "refreshNow")
    .addItem("Cancel the selected rows", "cancelSelectedRows")
    .addItem("Save the files of the selected rows", "saveFilesOfSelectedRows")
    .addItem("Show status", "showStatus")
    .addToUi();
}

/** Run the action that each selected row names in its column `action`, or else the setting AAFAI_ACTION. */
function runSelectedRows() {
  runRows_("", []);
}

/** Ask now how all jobs stand, those of rows that were given up too. */
function refreshNow() {
  plainly_(() => {
    withDocument_(reviveRows_);
    return advanced_(PATIENCE) ? told_(allRows_()) : "Another run is at it: the rows will change in a moment.";
  });
}

/** Cancel the jobs of the selected rows. What has not been sent yet is not sent; no machine is started for it. */
function cancelSelectedRows() {
  plainly_(() => {
    const rows = selectedRows_().filter((row) => !isEnded_(row));
    const sent = rows.filter((row) => row.jobId !== "");
    const refused = sent.length === 0 ? "" : cancelled_(sent.map((row) => row.jobId));
    if (refused !== "") return refused;
    const unsent = rows.filter((row) => row.jobId === "");
    settleRows_(new Map(unsent.map((row) => [row.key, { status: "cancelled", result: "It was not sent." }])));
    return `${counted_(unsent.length, "row")} will not be sent, ${counted_(sent.length, "job")} asked to stop.`;
  });
}

/** Show the sidebar with the list of jobs, which keeps itself up to date while it is open. */
function showStatus() {
  SpreadsheetApp.getUi().showSidebar(sidebar_());
}

/** Send what waits and ask how jobs stand. The trigger calls this; it costs one request while jobs run. */
function pollJobs() {
  const began = Date.now();
  if (triggerMinutesLeft_() < 15) return;
  try {
    advanced_(TRIGGER_PATIENCE);
  } catch (error) {
    if (!(error instanceof Impossible)) throw error;
    saying_(error.message);
  } finally {
    spendTriggerTime_(Date.now() - began);
  }
}

/**
 * Mark the selected rows as waiting, each with an idempotency key, and send them. Should this run be ended in the
 * middle, the trigger goes on with the same keys.
 * @param {string} action its name; empty for the one that each row names
 * @param {string[]} needed params that it cannot do without
 */
function runRows_(action, needed) {
  plainly_(() => {
    const marked = withDocument_(() => markedRows_(action, needed));
    if (marked === 0) return "Nothing to run: select rows whose params are filled in and which do not run yet.";
    SpreadsheetApp.getActiveSpreadsheet().toast(
      `${counted_(marked, "row")} to do. Starting the machine if it is off …`,
      "aafai-bus",
      -1,
    );
    return advanced_(PATIENCE) ? told_(allRows_()) : "Another run is at it, and takes these rows along.";
  });
}

/**
 * Send what waits, ask how jobs stand, and set the trigger as it is needed from now on.
 * @param {number} patience milliseconds to wait for the machine
 * @returns {boolean} whether this run did it: false while another one does
 */
function advanced_(patience) {
  const lock = LockService.getScriptLock();
  if (!lock.tryLock(2000)) return false;
  let ended = 0;
  try {
    const rows = allRows_();
    const isSent = sendWaiting_(rows.filter(isWaiting_), Date.now() + patience);
    ended = askedAbout_((isSent ? allRows_() : rows).filter(isOpen_));
  } catch (error) {
    if (!(error instanceof Impossible)) throw error;
    saying_(error.message);
  } finally {
    const told = told_(setTrigger_());
    if (ended > 0) SpreadsheetApp.getActiveSpreadsheet().toast(told, "aafai-bus", 10);
    lock.releaseLock();
  }
  return true;
}

/** Return what is to be said of rows in one sentence. @param {Row[]} rows */
function told_(rows) {
  const groups = [
    [rows.filter(isWaiting_).length, "to be sent"],
    [rows.filter(isOpen_).length, "on the way"],
    ...ENDINGS.map((ending) => [rows.filter((row) => row.status.startsWith(ending)).length, ending]),
  ];
  const counts = groups.filter(([number]) => number !== 0).map(([number, word]) => `${number} ${word}`);
  return [problem_(), counts.length > 0 ? `${counts.join(", ")}.` : "No rows have been run."]
    .filter(Boolean)
    .join(" ");
}

/**
 * Do something for somebody who looks on, and say in one sentence what came of it.
 * @param {() => string} act
 */
function plainly_(act) {
  const book = SpreadsheetApp.getActiveSpreadsheet();
  try {
    book.toast(act(), "aafai-bus", 10);
  } catch (error) {
    if (!(error instanceof Impossible)) throw error;
    book.toast(error.message, "aafai-bus: not possible", 30);
  }
}

/**
 * @template T
 * @param {() => T} act is done while no other run marks rows
 * @returns {T}
 */
function withDocument_(act) {
  const lock = LockService.getDocumentLock();
  if (!lock.tryLock(20 * 1000)) throw new Impossible("Somebody else is marking rows. Try again in a moment.");
  try {
    return act();
  } finally {
    lock.releaseLock();
  }
}

/**
 * @param {number} number
 * @param {string} noun
 */
function counted_(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
