// cellroute/render: drawings of results.

export type { ChartLabels } from './render/chart.js';
export { type ComparisonOptions, type PredictedCells, renderComparison } from './render/comparison.js';
export type { RenderFormat } from './render/encode.js';
export { type HeatMapOptions, renderHeatMap } from './render/heat-map.js';
export { type HistogramOptions, renderHistogram } from './render/histogram.js';
export { type OverlayOptions, renderOverlay } from './render/overlay.js';
export { type PlotOptions, type PlotSeries, renderPlot } from './render/plot.js';
