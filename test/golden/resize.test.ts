import { describeGolden, goldenTensors } from '../support/golden.js';
import { testing } from '../support/native.js';

interface Case {
  picture: string;
  height: number;
  width: number;
  crop: boolean;
}

describeGolden('resize equals Pillow’s', { goldens: ['resize.safetensors'] }, () => {
  const { tensors, metadata } = goldenTensors('resize.safetensors');
  const cases = JSON.parse(metadata.cases!) as Case[];

  test.each(cases.map((options, i) => ({ ...options, i })))(
    '$picture to $width x $height, cropped: $crop',
    ({ picture, height, width, crop, i }) => {
      const source = tensors[picture]!;
      const [rows, columns, channels = 1] = source.shape as [number, number, number?];
      const input = { data: source.data, width: columns, height: rows, channels };
      const bytes: Uint8Array = testing()[crop ? 'resizeCrop' : 'resize'](input, height, width);
      const values = source.data instanceof Float32Array ? new Float32Array(bytes.buffer) : bytes;
      expect(Array.from(values)).toEqual(Array.from(tensors[`out${i}`]!.data, Number));
    },
  );
});
