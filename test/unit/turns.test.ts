import { Turns } from '../../lib/inference/call-order.js';

/** Names of places in the order in which they are reached. */
function line(count: number) {
  const turns = new Turns();
  const order: number[] = [];
  const places = Array.from({ length: count }, (_, i) => {
    const place = turns.join();
    void place.reached.then(() => order.push(i));
    return place;
  });
  return { order, places };
}

const settled = () => new Promise((done) => setImmediate(done));

test('places are reached in order', async () => {
  const { order, places } = line(3);
  await settled();
  expect(order).toEqual([0]);
  places[0]!.leave();
  await settled();
  expect(order).toEqual([0, 1]);
  places[1]!.leave();
  places[2]!.leave();
  await settled();
  expect(order).toEqual([0, 1, 2]);
});

test('a place that is left early lets no other overtake', async () => {
  const { order, places } = line(3);
  places[1]!.leave();
  await settled();
  expect(order).toEqual([0]);
  places[0]!.leave();
  await settled();
  expect(order).toEqual([0, 1, 2]);
});

test('leaving twice lets one place pass', async () => {
  const { order, places } = line(3);
  places[0]!.leave();
  places[0]!.leave();
  await settled();
  expect(order).toEqual([0, 1]);
});
