// Sending rows to a bus that accepts jobs: in as few requests as there can be, each row once.

const OF_THE_ACTION = ["unknown_action", "broken_action", "action_not_allowed", "unsupported"];
const OF_THE_TOKEN = ["unauthorized", "token_expired", "bad_signature", "scope_missing"];

/**
 * Send submissions; write into the rows what became of them. A refusal that names a job concerns its row only; one
 * that names none is narrowed down by halves. Throws Impossible.
 * @param {string} url
 * @param {Submission[]} submissions
 * @returns {Step | null} what to wait for before trying again with the same keys; null when all is done
 */
function sent_(url, submissions) {
  const parts = portions_(submissions);
  let refusals = 0;
  let why = "";
  for (let part = parts.shift(); part; part = refusals < MOST_REFUSALS ? parts.shift() : undefined) {
    const answer = busAsked_(url, "post", "/inbound", { jobs: part, batch: part[0].batch });
    if (answer.code === 200 && Array.isArray(answer.body?.job_ids)) {
      accepted_(part, answer.body.job_ids);
      continue;
    }
    if (isPassing_(answer)) return notNow_(answer);
    why = whyNot_(answer);
    if (OF_THE_TOKEN.includes(answer.body?.code)) throw new Impossible(why);
    parts.unshift(...afterRefusal_(part, answer));
    refusals += 1;
  }
  refuse_(parts.flat(), `Not sent: too many other rows were refused, the last because: ${why}`);
  return null;
}

/** Return whether the same request may be taken later. @param {Answer} answer */
function isPassing_(answer) {
  if (answer.code === 401) return /^signature_(stale|replayed)$/.test(answer.body?.code);
  if (answer.body?.code === "broken_action") return false;
  return [0, 200, 408, 429].includes(answer.code) || answer.code >= 500;
}

/**
 * Return submissions in portions that fit into a request, each of one action.
 * @param {Submission[]} submissions
 */
function portions_(submissions) {
  const byAction = new Map();
  for (const { action } of submissions) byAction.set(action, []);
  for (const one of submissions) byAction.get(one.action).push(one);
  return [...byAction.values()].flatMap(fitting_);
}

/** @param {Submission[]} submissions @returns {Submission[][]} */
function fitting_(submissions) {
  const parts = [];
  let part = [];
  let size = 0;
  for (const one of submissions) {
    const length = JSON.stringify(one).length;
    if (part.length === MOST_AT_ONCE || (part.length > 0 && size + length > LARGEST_REQUEST)) {
      parts.push(part);
      part = [];
      size = 0;
    }
    part.push(one);
    size += length;
  }
  return part.length === 0 ? parts : [...parts, part];
}

/** @param {Submission[]} part @param {string[]} jobIds in the order of the submissions */
function accepted_(part, jobIds) {
  settleRows_(
    new Map(
      part.map((one, index) => [one.idempotency_key, { status: "pending", jobId: jobIds[index], result: "" }]),
    ),
  );
}

/**
 * Mark what was refused and return what is to be tried without it.
 * @param {Submission[]} part
 * @param {Answer} answer
 * @returns {Submission[][]}
 */
function afterRefusal_(part, answer) {
  const named = /jobs\[(\d+)\]/.exec(`${answer.body?.field || ""} ${answer.body?.message || ""}`);
  const guilty = named ? part[Number(named[1])] : undefined;
  if (guilty) {
    refuse_([guilty], whyNot_(answer).split(`jobs[${named?.[1]}].`).join(""));
    return [part.filter((one) => one !== guilty)].filter((rest) => rest.length > 0);
  }
  if (part.length === 1 || OF_THE_ACTION.includes(answer.body?.code)) {
    refuse_(part, whyNot_(answer), answer.body?.code === "idempotency_conflict" ? answer.body.job_id : "");
    return [];
  }
  const half = Math.ceil(part.length / 2);
  return [part.slice(0, half), part.slice(half)];
}

/**
 * Mark rows as refused. One that was sent before with other params, and changed since, takes up the job of then.
 * @param {Submission[]} submissions
 * @param {string} why
 * @param {string} [earlier] the job of then
 */
function refuse_(submissions, why, earlier = "") {
  const outcome =
    earlier === "" ? { status: "failed", result: why } : { status: "pending", jobId: earlier, result: "" };
  settleRows_(new Map(submissions.map((one) => [one.idempotency_key, outcome])));
}

/** Look for the machine anew: it may be stopping, or have another address. @param {Answer} answer @returns {Step} */
function notNow_(answer) {
  becomes_({ url: "" });
  return waitFor_(answer.retryAfter, whyNot_(answer));
}
