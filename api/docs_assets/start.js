// A file of its own, because the page's Content-Security-Policy allows no script inside it.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // Otherwise the page would send the document to validator.swagger.io.
  validatorUrl: null,
});
