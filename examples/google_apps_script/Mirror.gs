// The mirror: a bucket in which the bus leaves what became of jobs, to be read while the machine is off. Optional.

const STORAGE = "https://storage.googleapis.com/storage/v1/b";
const MOST_READ = 50; // results in a run; what is left comes with the next

/**
 * Return how jobs ended, in the words of a poll, as far as the mirror knows.
 * @param {Row[]} rows
 * @returns {any[]}
 */
function mirrored_(rows) {
  const [bucket, ...folders] = setting_("AAFAI_BUCKET").split("/").filter(Boolean);
  if (!bucket || rows.length === 0) return [];
  const folder = [...folders, "results", ""].join("/");
  // Job ids begin with their time: the list begins with the oldest job that is open.
  const oldest = rows.map((row) => row.jobId).sort()[0];
  const [prefix, start] = [folder, folder + oldest].map(encodeURIComponent);
  const query = `prefix=${prefix}&startOffset=${start}&fields=items(name)`;
  const listed = stored_(`${bucket}/o?${query}`);
  const names = new Set((listed.items || []).map((/** @type {{name: string}} */ item) => item.name));
  return rows
    .map((row) => `${folder}${row.jobId}.json`)
    .filter((name) => names.has(name))
    .slice(0, MOST_READ)
    .map((name) => stored_(`${bucket}/o/${encodeURIComponent(name)}?alt=media`));
}

/** Ask Cloud Storage. Throws Impossible. @param {string} path @returns {any} */
function stored_(path) {
  const headers = { Authorization: `Bearer ${ScriptApp.getOAuthToken()}` };
  const answer = asked_(`${STORAGE}/${path}`, { method: "get", headers });
  if (answer.code === 200 && answer.body) return answer.body;
  const said = answer.body?.error?.message || answer.problem;
  throw new Impossible(
    `The bucket cannot be read. appsscript.json must name the scope devstorage.read_only: see the README. ${said}`,
  );
}
