/** Red, green and blue, 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number];

/**
 * Colours of cells and of their types, in order of use: bright enough for dark fluorescence, strong enough for grey
 * phase contrast, and distinguishable without red, green or blue vision (a test simulates all three).
 */
export const palette: readonly Colour[] = [
  [0, 255, 180],
  [255, 235, 20],
  [250, 165, 220],
  [60, 140, 220],
  [240, 55, 20],
  [190, 255, 125],
  [175, 70, 255],
  [205, 95, 90],
];
