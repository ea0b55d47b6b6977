// Rows of the table: what is measured, and its goal. `atLeast` is a speed-up over the peer; `atMost` is a ratio to the
// peer's value, or a value with its unit.

export const rows = [
  {
    id: 'r50',
    title: 'R50-FPN 704×520, 539 kept, about 300 cells above minScore, float32',
    against: 'torchvision',
    goal: { atLeast: 3 },
  },
  { id: 'r50-bfloat16', title: 'as above, bfloat16', against: 'torchvision', goal: { atLeast: 6 } },
  {
    id: 'r50-all',
    title: 'as above, all masks, float32',
    against: 'torchvision',
    goal: { atLeast: 2.2 },
  },
  {
    id: 'r50-all-onnx',
    title: 'as above, all masks, float32',
    against: 'ONNX Runtime',
    goal: { atLeast: 5 },
  },
  {
    id: 'r50-all-int8',
    title: 'as above, all masks, int8',
    against: 'float32 of cellroute',
    goal: { atLeast: 1 },
  },
  {
    id: 'backbone-openvino',
    title: 'R50-FPN backbone alone, 800×1088, float32',
    against: 'OpenVINO',
    goal: { atLeast: 1.5 },
  },
  {
    id: 'backbone-onnx',
    title: 'R50-FPN backbone alone, 800×1088, float32',
    against: 'ONNX Runtime',
    goal: { atLeast: 1.5 },
  },
  {
    id: 'backbone-bfloat16',
    title: 'R50-FPN backbone alone, 800×1088, bfloat16',
    against: 'OpenVINO',
    goal: { atLeast: 1.3 },
  },
  {
    id: 'memory',
    title: 'peak resident memory, R50-FPN with all masks',
    against: 'torchvision',
    goal: { atMost: 0.25 },
  },
  {
    id: 'memory-cells',
    title: 'peak resident memory at 2,000 cells',
    against: '200 cells',
    goal: { atMost: 1.2 },
  },
  {
    id: 'starter',
    title: 'starter network, 512×512, float32',
    against: 'torchvision',
    goal: { atLeast: 4 },
  },
  {
    id: 'starter-int8',
    title: 'starter network, 512×512, int8',
    against: 'float32 of cellroute',
    goal: { atLeast: 1 },
  },
  {
    id: 'train',
    title: 'training step, R50-FPN, batch 2, float32',
    against: 'torchvision',
    goal: { atLeast: 1.6 },
  },
  { id: 'load', title: 'load of 44 M parameters, warm file cache', goal: { atMost: 1, unit: 's' } },
  {
    id: 'event-loop',
    title: 'event-loop delay while segmenting, 99th percentile',
    goal: { atMost: 10, unit: 'ms' },
  },
];

/** Attained fraction of the goal: 1 reaches it, more is better. */
export const attained = ({ atLeast, atMost }, value) =>
  atLeast === undefined ? atMost / value : value / atLeast;

export const goalText = ({ atLeast, atMost, unit }) =>
  atLeast === undefined ? `≤ ${atMost}${unit ? ` ${unit}` : ' ×'}` : `≥ ${atLeast} ×`;
