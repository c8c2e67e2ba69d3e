/** Where the page begins. */
import { render } from 'preact';
import { chartStyle } from '../draw.ts';
import { App } from './app.tsx';
import { createPage, PageContext } from './context.ts';
import './style/colours.css';
import './style/base.css';
import './style/frame.css';
import './style/handover.css';
import './style/timeline.css';
import './style/sequence.css';
import './style/charts.css';
import './style/messages.css';
import { applyTheme } from './theme.ts';

// The drawing's own rules; a style element in the page would need a weaker policy.
const sheet = new CSSStyleSheet();
sheet.replaceSync(chartStyle);
document.adoptedStyleSheets = [sheet];
applyTheme();

const page = createPage();
render(
  <PageContext.Provider value={page}>
    <App />
  </PageContext.Provider>,
  document.getElementById('app')!,
);
