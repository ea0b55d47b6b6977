// cellroute/report: the HTML report of a run.
export type { SignalOptions } from './abort.js';
export { Report, type ReportOptions } from './report/report.js';
