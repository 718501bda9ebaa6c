// A grading model that is never there.
export default class Grader {
  id() {
    return 'grader';
  }
  async callApi() {
    return { error: 'the grader is down' };
  }
}
