export { CellrouteError, type ErrorCode, type ErrorDetails } from './errors.js';
