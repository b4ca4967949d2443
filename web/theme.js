// Before the first paint: the theme that was chosen last, else the system's.
try {
  const theme = localStorage.getItem('theme');
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
} catch { /* storage is switched off: the system's theme it is */ }
