// The clock that the libraries read stands where the request says, so that known
// answers of years ago are judged as on their day, and a slow machine makes
// nothing stale: Paddle's library gives a delivery five seconds.

const RealDate = Date;
let now = 0;

globalThis.Date = class extends RealDate {
  constructor(...time) {
    super(...(time.length > 0 ? time : [now]));
  }

  static now() {
    return now;
  }
};

export function setClock(ms) {
  now = ms;
}
