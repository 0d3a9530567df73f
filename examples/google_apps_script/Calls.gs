// Actions called as functions by other code of this spreadsheet, such as those that `bus apps-script` makes.

/**
 * Run an action, wait for it, and return its result. It starts the machine if need be, so not for use in cells.
 * Throws an error that says what went wrong, also when the end does not come within three and a half minutes.
 * @param {string} action
 * @param {Object<string, any>} params
 * @returns {any}
 */
function resultOf_(action, params) {
  const deadline = Date.now() + PATIENCE;
  const submission = { action, params, idempotency_key: marked_(action).key };
  const submit = (/** @type {string} */ url) => busAsked_(url, "post", "/inbound", submission);
  const { job_id } = repeated_(deadline, () => submit(busBy_(deadline)));
  const ask = (/** @type {string} */ url) =>
    url === ""
      ? { code: 0, body: null, problem: problem_(), retryAfter: 15 }
      : busAsked_(url, "get", `/outbound?job_id=${job_id}&wait=20`);
  for (;;) {
    const job = repeated_(deadline, () => ask(addressNow_()));
    if (job.status === "complete") return job.result;
    if (job.status !== "pending") throw new Impossible(`${action} ${job.status}: ${job.error}`);
    if (Date.now() > deadline) throw new Impossible(`${action} goes on as job ${job_id}: no script waits longer.`);
  }
}

/** Return the address of a bus that accepts jobs. @param {number} deadline */
function busBy_(deadline) {
  const lock = LockService.getScriptLock();
  if (!lock.tryLock(30 * 1000)) throw new Impossible("Another run is starting the machine. Try again in a moment.");
  try {
    for (;;) {
      const step = stepTowardsBus_();
      if (step.url !== "") return step.url;
      if (Date.now() + step.wait * 1000 > deadline) throw new Impossible(step.say);
      Utilities.sleep(step.wait * 1000);
    }
  } finally {
    lock.releaseLock();
  }
}

/**
 * Ask until there is an answer, looking for the machine anew each time; the key of a submission keeps it from being
 * done twice.
 * @param {number} deadline
 * @param {() => Answer} ask
 */
function repeated_(deadline, ask) {
  for (;;) {
    const answer = ask();
    if (answer.code === 200) return answer.body;
    const isPassing = answer.code === 0 || answer.code === 429 || answer.code >= 500;
    if (!isPassing || Date.now() > deadline) throw new Impossible(whyNot_(answer));
    Utilities.sleep(answer.retryAfter * 1000);
  }
}
