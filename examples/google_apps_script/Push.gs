// Results that come by themselves: this script as a web app is the callback_url of its jobs. Optional.
//
// The bus signs webhooks in headers, which Google does not show to a script. So each row gets an address of its own,
// signed with a secret that never leaves the script: who knows it can speak for that row, and for no other.

/**
 * Take in what became of a job. Google calls this for each POST to the web app.
 * @param {GoogleAppsScript.Events.DoPost} event
 */
function doPost(event) {
  const { row: key = "", token = "" } = event.parameter;
  if (!KEY.test(key) || !isSame_(token, pushToken_(key, needed_("AAFAI_PUSH_SECRET")))) return page_("refused");
  const row = allRows_().find((one) => one.key === key);
  const job = row && pushedJob_(event.postData.contents);
  const isOfRow = row && job && !isEnded_(row) && (row.jobId === "" || row.jobId === job.job_id);
  if (!isOfRow) return page_("nothing to do");
  // A result above 64 KiB is not sent along; the poll fetches it.
  if (job.status === "complete" && job.result_left_out) pollEvery_(1);
  else settleRows_(new Map([[key, { ...outcomeOf_(job, setting_("AAFAI_BUCKET")), jobId: job.job_id }]]));
  return page_("taken");
}

/**
 * Return a function that gives the field callback_url of a row's submission, if jobs are to be pushed.
 * @returns {(key: string) => {callback_url?: string}}
 */
function pushing_() {
  const url = setting_("AAFAI_PUSH_URL");
  if (url === "") return () => ({});
  const secret = needed_("AAFAI_PUSH_SECRET");
  return (key) => ({ callback_url: `${url}?row=${key}&token=${pushToken_(key, secret)}` });
}

/** @param {string} key @param {string} secret */
function pushToken_(key, secret) {
  return hex_(Utilities.computeHmacSha256Signature(`push ${key}`, secret, Utilities.Charset.UTF_8));
}

/**
 * Return the job that a webhook tells of, in the words of a poll; null when it tells of none that has ended.
 * @param {string} contents
 */
function pushedJob_(contents) {
  try {
    const { data } = JSON.parse(contents);
    const status = { succeeded: "complete", failed: "failed", cancelled: "cancelled" }[
      /** @type {string} */ (data.state)
    ];
    if (!status || typeof data.job_id !== "string" || !/^[0-9a-f-]{36}$/.test(data.job_id)) return null;
    const error = data.error === null ? "" : String(data.error?.message || data.error || "");
    return { job_id: data.job_id, status, result: data.result, result_left_out: data.result_left_out, error };
  } catch {
    return null;
  }
}

/** Compare in a time that tells nothing about where two texts differ. @param {string} one @param {string} other */
function isSame_(one, other) {
  let difference = one.length ^ other.length;
  for (let index = 0; index < other.length; index++) difference |= one.charCodeAt(index) ^ other.charCodeAt(index);
  return difference === 0;
}

/** Return an answer with status 200; plain text would be a redirect, which the bus takes for a failure.
 * @param {string} text
 */
function page_(text) {
  return HtmlService.createHtmlOutput(text);
}
