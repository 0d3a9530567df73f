// Start Swagger UI. It stands in a file of its own because the page allows no inline script.
// The page itself is open to everybody; what it shows is not, so where a token is set it asks for it.
const form = document.getElementById("token");

function headers() {
  const token = sessionStorage.getItem("token");
  return token ? { Authorization: `Bearer ${token}` } : {};
}

async function start() {
  const answer = await fetch("/openapi.json", { headers: headers() });
  form.hidden = ![401, 403].includes(answer.status); // 403: the token may do other things, but not read.
  if (!answer.ok) return;
  window.ui = SwaggerUIBundle({
    spec: await answer.json(),
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null, // The document is not sent to anybody for validation.
    requestInterceptor: (request) => {
      Object.assign(request.headers, headers());
      return request;
    },
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", form.elements.token.value.trim()); // Gone when the tab is closed.
  start();
});

start();
