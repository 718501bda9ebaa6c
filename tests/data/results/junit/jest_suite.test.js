// Tests for jest to report, by way of jest-junit.
test('passes', () => {});
describe('first', () => {
  it('passes', () => {});
  it('fails', () => expect(1).toBe(2));
  it.skip('is skipped', () => {});
});
describe('second', () => {
  it('passes', () => {});
});
