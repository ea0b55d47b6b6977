import { segmenterTraining } from '../../../lib/trainer/config.js';
import { ratesAt } from '../../../lib/trainer/schedule.js';
import { describeGolden, goldenJson } from '../../support/golden.js';

interface Whole {
  steps: number;
  options: Record<string, unknown>;
  rates: [lr: number, momentum: number][];
}

const camel = (name: string) => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

function expectSame(
  rates: readonly (readonly [number, number])[],
  of: (step: number) => { lr: number; momentum: number },
) {
  const furthest = rates.map(([lr, momentum], step) => {
    const ours = of(step);
    return Math.max(Math.abs(ours.lr - lr), Math.abs(ours.momentum - momentum));
  });
  expect(Math.max(...furthest)).toBeLessThan(1e-12);
}

describeGolden('the complete schedule of the competition run', { goldens: ['one_cycle.json'] }, () => {
  test('is torch’s', () => {
    const golden = goldenJson<{
      max_lr: number;
      steps_per_epoch: number;
      epochs: number;
      lr_and_momentum_before_each_step: [number, number][];
    }>('one_cycle.json');
    const { schedule, optimizer } = segmenterTraining({
      schedule: { kind: 'one-cycle', maxLr: golden.max_lr },
    });
    const steps = golden.steps_per_epoch * golden.epochs;
    expect(golden.lr_and_momentum_before_each_step).toHaveLength(steps);
    expectSame(golden.lr_and_momentum_before_each_step, (step) => ratesAt(schedule, optimizer, step, steps));
  });
});

describeGolden('schedules', { goldens: ['schedules.json'] }, () => {
  const golden = goldenJson<{ one_cycle: Whole[]; warm_up: Whole[] }>('schedules.json');

  test.each(golden.one_cycle)('OneCycleLR of $steps steps with $options', ({ steps, options, rates }) => {
    const given = Object.fromEntries(Object.entries(options).map(([name, value]) => [camel(name), value]));
    const { schedule, optimizer } = segmenterTraining({ schedule: { kind: 'one-cycle', ...given } });
    expectSame(rates, (step) => ratesAt(schedule, optimizer, step, steps));
  });

  test.each(golden.warm_up)('warm-up of $options over $steps steps', ({ steps, options, rates }) => {
    const { warmup_steps, warmup_factor, min_lr } = options as Record<string, number | null>;
    const warmUp = { warmupSteps: warmup_steps!, warmupFactor: warmup_factor! };
    const { schedule, optimizer } = segmenterTraining({
      optimizer: { lr: 0.02 },
      schedule:
        min_lr === null
          ? { kind: 'constant', ...warmUp }
          : { kind: 'warmup-cosine', ...warmUp, minLr: min_lr! },
    });
    expectSame(rates, (step) => ratesAt(schedule, optimizer, step, steps));
  });
});

test('a warm-up longer than the run does not divide by zero', () => {
  const { schedule, optimizer } = segmenterTraining({
    schedule: { kind: 'warmup-cosine', warmupSteps: 10, warmupFactor: 0 },
  });
  const rates = Array.from({ length: 5 }, (_, step) => ratesAt(schedule, optimizer, step, 5).lr);
  expect(rates).toEqual([0, 0.1, 0.2, 0.3, 0.4].map((share) => expect.closeTo(share * optimizer.lr, 15)));
  expect(ratesAt(schedule, optimizer, 12, 5).lr).toBe(0);
});
