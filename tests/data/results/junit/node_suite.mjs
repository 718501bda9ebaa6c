// Tests for node's own runner to report.
import assert from 'node:assert';
import { describe, it, test } from 'node:test';

test('passes', () => {});
describe('first', () => {
  it('passes', () => {});
  it('fails', () => assert.equal(1, 2));
  it.skip('is skipped', () => {});
  it.todo('is to do', () => {});
  describe('inner', () => {
    it('passes', () => {});
  });
});
describe('second', () => {
  it('passes', () => {});
});
