// For engines whose console no driver can read: notes what a person would find there.
window.noise = [];
for (const level of ["debug", "log", "info", "warn", "error"])
  console[level] = (...words) => noise.push(`${level}: ${words.join(" ")}`);
addEventListener("error", ({ message }) => noise.push(`uncaught: ${message}`));
addEventListener("unhandledrejection", ({ reason }) => noise.push(`rejected: ${reason}`));
addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI, sourceFile }) =>
  noise.push(`violated: ${effectiveDirective} ${blockedURI} ${sourceFile}`),
);
