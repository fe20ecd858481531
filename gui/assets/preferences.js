// A page that holds pictures hands them to the one that replaces it, and to no other: see gui/handover.py.
const handOver = (token, seconds) => {
  document.cookie = `roadmask_from=${token}; path=${location.pathname}; max-age=${seconds}; samesite=lax`;
};
handOver("", 0); // this page has been made from it

// A visitor's preferences: written into a cookie that the page's server reads, and taken up by a reload.
window.roadmaskPrefer = (name, value, reload = true) => {
  const match = document.cookie.match(/(?:^|; )roadmask=([^;]*)/);
  const chosen = new URLSearchParams(match ? decodeURIComponent(match[1]) : "");
  chosen.set(name, value);
  const path = (window.path_prefix || "") + "/";
  document.cookie = `roadmask=${encodeURIComponent(chosen)}; path=${path}; max-age=31536000; samesite=lax`;
  if (!reload) return;
  if (window.roadmaskPage) handOver(window.roadmaskPage, 10);
  window.location.reload();
};
