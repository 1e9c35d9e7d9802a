-- What is tested is not speed: as load.ts, wrk waits up to 10 ms between two requests.
function delay()
  return math.random(0, 10)
end
