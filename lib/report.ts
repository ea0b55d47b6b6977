// cellroute/report: the HTML report of a run.
export { Report, type ReportOptions } from './report/report.js';
