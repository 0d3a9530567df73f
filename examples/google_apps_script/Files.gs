// Files that jobs have made: a link to the bucket in which the bus leaves them, or copies in Google Drive.

const LARGEST_COPY = 40 * 1024 * 1024; // bytes; a request of a script holds 50 MB
const DRIVE = "https://www.googleapis.com";

/** Copy what the jobs of the selected rows have made to Google Drive, and put links to it into their rows. */
function saveFilesOfSelectedRows() {
  plainly_(() => {
    const url = addressNow_();
    if (url === "") return `${problem_()} Run a row first: files are kept for a week.`;
    const deadline = Date.now() + PATIENCE;
    const rows = selectedRows_().filter((row) => row.jobId !== "");
    const done = rows.filter((row) => Date.now() < deadline && savedFilesOf_(url, row));
    const rest = done.length < rows.length ? " Do the others again." : "";
    return `Files of ${counted_(done.length, "row")} are saved.${rest}`;
  });
}

/** Return a link to the files of a job, empty without a bucket. @param {string} bucket @param {string} jobId */
function filesLink_(bucket, jobId) {
  return bucket === "" ? "" : `https://console.cloud.google.com/storage/browser/${bucket}/files/${jobId}`;
}

/** Return whether the files of a row are saved now. @param {string} url @param {Row} row */
function savedFilesOf_(url, row) {
  const path = `/api/jobs/${row.jobId}/files`;
  const answer = busAsked_(url, "get", path);
  if (answer.code !== 200 && answer.code !== 404) throw new Impossible(whyNot_(answer));
  /** @type {{name: string, size: number, type: string}[]} */
  const files = answer.body?.files || [];
  const lines = answer.code === 404 ? [whyNot_(answer)] : files.map((file) => copied_(url, path, file));
  // Copying takes long: the row may stand elsewhere by now.
  const now = allRows_().find((one) => one.key === row.key);
  if (now) now.sheet.getRange(now.place, now.column + 4).setValue(cell_(lines.join("\n") || "(none)"));
  return true;
}

/**
 * Copy one file and return its link, or why it was not copied.
 * @param {string} url of the bus
 * @param {string} path of the files of the job
 * @param {{name: string, size: number, type: string}} file
 */
function copied_(url, path, file) {
  if (file.size > LARGEST_COPY) return `${file.name}: ${file.size} bytes are too many for a script`;
  const target = `${path}/${file.name.split("/").map(encodeURIComponent).join("/")}`;
  const response = fetched_(url + target, { headers: credentials_(url, "GET", target, "") });
  if (typeof response === "string") return `${file.name}: ${response}`;
  if (response.getResponseCode() !== 200) return `${file.name}: status ${response.getResponseCode()}`;
  const created = driven_(
    "post",
    "/upload/drive/v3/files?uploadType=media&fields=id,webViewLink",
    response.getBlob().getBytes(),
    file.type,
  );
  driven_("patch", `/drive/v3/files/${created.id}`, JSON.stringify({ name: file.name }), "application/json");
  return created.webViewLink;
}

/**
 * @param {"post" | "patch"} method
 * @param {string} path
 * @param {string | number[]} payload
 * @param {string} contentType
 */
function driven_(method, path, payload, contentType) {
  const headers = { Authorization: `Bearer ${ScriptApp.getOAuthToken()}` };
  const answer = asked_(DRIVE + path, { method, headers, contentType, payload: /** @type {any} */ (payload) });
  if (answer.code === 200) return answer.body;
  const said = answer.body?.error?.message || answer.problem;
  const remedy = "Its API must be on, and appsscript.json name the scope drive.file: see the README.";
  throw new Impossible(`Google Drive refuses the copy. ${remedy} ${said}`);
}
