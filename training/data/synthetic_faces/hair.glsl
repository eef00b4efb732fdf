// Hair. All styles are shells over the scalp whose thickness grows from nothing at the hairline,
// so that there is no rim; strands are noise drawn out along the direction of growth.

// Azimuth of a point about the skull's axis: 0 in front, pi/2 at the ears, pi behind.
float azimuth(vec3 p) { return atan(abs(p.x), p.z + 1.2); }

// Height of the hairline (cm) at azimuth a, for the short style: forehead, temple, sideburn, over the ear, nape.
float shortHairline(float a, float x) {
  float y = 6.15 + hairline + .25 * sin(x * .9 + seed) + .5 * bell(a - .5, .2);
  y = mix(y, 3.6 + hairline, smoothstep(.62, .86, a));
  y = mix(y, -3.0, smoothstep(.90, 1.12, a));
  y = mix(y, .9, smoothstep(1.20, 1.42, a));
  return mix(y, -6.8, smoothstep(1.75, 2.3, a));
}

bool coarse = false;  // shadow and occlusion rays: no strands
struct Strands { float coarse, fine; vec3 along; };
Strands strands;  // of the last `hair` call

float shortHair(vec3 p) {
  float shell = ellipsoid(p - vec3(0, 3., -1.2), vec3(7.25 + skullWidth, 8.4, 9.3));
  shell = smin(shell, ellipsoid(vec3(sqrt(p.x * p.x + 1.5), p.yz) - vec3(1.5, 4.6, 4.75), vec3(3.5, 3.2, 3. + forehead)), 2.4);
  shell = smin(shell, ellipsoid(p - vec3(0, -2.6, .8), vec3(6.05 + faceWidth, 8.2, 7.3)), 2.4);
  if (shell > 4.5) return shell - 3.;
  float a = azimuth(p), line = p.y - shortHairline(a, p.x);
  // swept to one side and back; short at the sides
  vec3 flow = normalize(vec3(.55, .25, -.75));
  float across = dot(p, normalize(cross(flow, vec3(.1, 1., .2)))), along = dot(p, flow);
  float bend = coarse ? 1.1 : noise(p * .35 + seed) * 2.2;
  strands.coarse = coarse ? .5 : noise(vec3(across * 1.5 + bend, along * .28, seed));
  strands.fine = coarse ? .5 : noise(vec3(across * 6. + bend * 2., along * .5, seed + 4.));
  strands.along = flow;
  float top = smoothstep(3.5, 8.5, p.y);
  float lift = (.40 + .75 * top + .75 * top * smoothstep(-1., 6., p.z) * (1. - .5 * smoothstep(-1., 5., p.x)) * (1. - .6 * smoothstep(3., 6.5, abs(p.x))));
  lift *= (1. + hairVolume) * smoothstep(-.25, 1.9, line + .5 * (strands.fine - .5));
  float rough = (.16 + .34 * top) * (strands.coarse - .5) + (.06 + .08 * top) * (strands.fine - .5);
  float d = shell - lift - rough * smoothstep(0., .8, line) + .12;
  d = smax(d, -ellipsoid(vec3(abs(p.x), p.yz) - vec3(7.6 + skullWidth * .8, -1.9, -.6), vec3(1.6, 3.0, 1.8)), .4);
  return max(d * .75, -line * .7 - .35);
}

float longHair(vec3 p) {
  float x = p.x + 1.5, side = x > 0. ? 1. : -1.;  // parted off the middle
  float fall = smoothstep(2., -12., p.y);
  float wave = fall * (.55 * sin(p.y * .52 + side * 1.3 + seed) + .22 * sin(p.y * 1.15 + side + seed * 2.));
  vec3 w = vec3(p.x - side * wave * .8, p.y, p.z - wave * .5);
  float d = ellipsoid(w - vec3(0, 3.5, -1.5), vec3(8.05 + skullWidth, 8.95, 9.9));
  d = smin(d, ellipsoid(vec3(sqrt(p.x * p.x + 1.5), p.yz) - vec3(1.5, 4.6, 4.75), vec3(4.1, 3.7, 3.75 + forehead)), 2.4);
  float curtain = ellipsoid(w - vec3(0, -5., -2.4), vec3(8.55 + skullWidth + 1.0 * fall + .6 * hairVolume, 17.5, 7.9));
  if (hairLength > 0.) curtain = smax(curtain, hairLength - 17.5 - p.y, 1.6);  // a bob
  d = smin(d, curtain, 2.5);
  vec3 f = p - vec3(-.15, -4.7, 9.6);
  f.x *= 1. - .10 * smoothstep(-4., -10., p.y);
  float face = ellipsoid(f, vec3(6.75, 13.6, 9.2));
  float reach = abs(x) * (x > 0. ? .80 : 1.);
  float sweep = (p.y - 7.3 + .034 * reach * reach + .27 * reach) * .75;  // falls from the parting to the temples
  face = smax(face, sweep - .5 * smin(max(3.2 - p.y, 0.), 20., 1.), 1.8);
  float throat = ellipsoid(p - vec3(0, -13., 3.8), vec3(5.6, 9., 6.6));
  float rough = max(d, -min(face, throat));
  if (rough > 1.3) return rough - .8;
  float a = atan(w.z + 1.5, abs(x) + 2.5) * 9. + wave * .6, offset = side * 3.;
  if (coarse) {
    d = smax(d, -face, .9);
    return smax(d, -throat, 1.2) * .8;
  }
  float lock = noise(vec3(a * .75, p.y * .07 + offset, seed + 6.));
  strands.coarse = noise(vec3(a * 1.7, p.y * .10 + offset, seed));
  strands.fine = noise(vec3(a * 6.5, p.y * .16 + offset, seed + 3.));
  strands.along = normalize(vec3(-side * .25, 1., .1));
  d -= (lock - .5) * (.10 + .85 * fall) + (.10 + .32 * fall) * (strands.coarse - .5) + .09 * (strands.fine - .5);
  // the face: an opening that widens from the parting, framed by locks
  float low = smoothstep(6.5, -1., p.y);
  float frame = .75 * low * (lock - .5) + (.02 + .45 * low) * (strands.coarse - .5) + .05 * (strands.fine - .5);
  d = smax(d, -face + frame, 1.5 - .6 * low);
  d = smax(d, -throat + frame, 1.2);
  d += .32 * bell(x, .30) * smoothstep(6.5, 9., p.y);  // parting
  return d * .8;
}

// Cropped hair, hair combed back, and curls: one shell, other thickness and relief.
float closeHair(vec3 p) {
  float shell = ellipsoid(p - vec3(0, 3., -1.2), vec3(7.25 + skullWidth, 8.4, 9.3));
  shell = smin(shell, ellipsoid(vec3(sqrt(p.x * p.x + 1.5), p.yz) - vec3(1.5, 4.6, 4.75), vec3(3.5, 3.2, 3. + forehead)), 2.4);
  shell = smin(shell, ellipsoid(p - vec3(0, -2.6, .8), vec3(6.05 + faceWidth, 8.2, 7.3)), 2.4);
  bool curls = hairStyle > 3.5;
  float reach = curls ? 3. + 2. * hairVolume : 1.2;
  if (shell > reach + 2.) return shell - reach;
  float line = p.y - shortHairline(azimuth(p), p.x), lift, relief;
  if (curls) {
    strands.coarse = coarse ? .5 : noise(p * 1.3 + seed);
    strands.fine = coarse ? .5 : noise(p * 3.4 + seed);
    strands.along = normalize(vec3(noise(p * 2.) - .5, noise(p * 2. + 9.) - .5, .3));
    lift = (.9 + 1.5 * hairVolume) * smoothstep(-.3, 2.6, line) + .7 * hairVolume * smoothstep(3., 9., p.y);
    relief = .75 * (strands.coarse - .5) + .35 * (strands.fine - .5);
  } else {
    vec3 back = normalize(vec3(p.x * .05, .35, -1.));
    float across = atan(p.x, max(p.y + 2., .5)) * 9., along = dot(p, back);
    bool crop = hairStyle < 2.5;
    strands.coarse = coarse ? .5 : crop ? noise(p * 2.2 + seed) : noise(vec3(across, along * .12, seed));
    strands.fine = coarse ? .5 : crop ? noise(p * 7. + seed) : noise(vec3(across * 5., along * .3, seed + 4.));
    strands.along = back;
    lift = (crop ? .16 : .42) * (1. + hairVolume) * smoothstep(-.3, crop ? .8 : 1.8, line);
    relief = (crop ? .05 : .16) * (strands.coarse - .5) + (crop ? .08 : .07) * (strands.fine - .5);
  }
  float d = shell - lift - relief * smoothstep(0., .8, line) + .12;
  d = smax(d, -ellipsoid(vec3(abs(p.x), p.yz) - vec3(7.6 + skullWidth * .8, -1.9, -.6), vec3(1.6, 3.0, 1.8)), .4);
  return max(d * (curls ? .6 : .75), -line * .7 - .35);
}

// 0 short, 1 long, 2 cropped, 3 combed back, 4 curls, 5 none
float hair(vec3 p) {
  if (hairMirror > .5) p.x = -p.x;
  if (hairStyle < .5) return shortHair(p);
  if (hairStyle < 1.5) return longHair(p);
  return hairStyle < 4.5 ? closeHair(p) : 1e3;
}
