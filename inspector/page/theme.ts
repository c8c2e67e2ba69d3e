/** Light, dark, or as the system says. The choice stays in this browser. */

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

export const chosenTheme = (): Theme => themes.find((theme) => theme === localStorage.getItem('theme')) ?? 'system';

export function applyTheme(theme = chosenTheme()): void {
  localStorage.setItem('theme', theme);
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
