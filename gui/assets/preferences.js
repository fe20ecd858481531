// A visitor's preferences: written into a cookie that the page's server reads, and taken up by a reload.
window.roadmaskPrefer = (name, value) => {
  const match = document.cookie.match(/(?:^|; )roadmask=([^;]*)/);
  const chosen = new URLSearchParams(match ? decodeURIComponent(match[1]) : "");
  chosen.set(name, value);
  const path = (window.path_prefix || "") + "/";
  document.cookie = `roadmask=${encodeURIComponent(chosen)}; path=${path}; max-age=31536000; samesite=lax`;
  window.location.reload();
};
