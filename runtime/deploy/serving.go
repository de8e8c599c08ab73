package deploy

import (
	"hash/fnv"
	"math/rand/v2"

	"github.com/dunglas/httpsfv"
)

// Serving is what answers for a Function: one Version, or two that share its
// requests. It is immutable, and safe for concurrent use.
type Serving struct {
	function string
	versions []servingVersion // the first has the most percent
}

type servingVersion struct {
	active     *Active
	percentage int
}

// Main is the Version that answers most requests.
func (s *Serving) Main() *Active { return s.versions[0].active }

// Shared says whether Pick has a choice.
func (s *Serving) Shared() bool { return len(s.versions) > 1 }

// MaxRequestBody is the longest body that one of the Versions takes, in bytes.
func (s *Serving) MaxRequestBody() (most int64) {
	for _, v := range s.versions {
		most = max(most, v.active.Limits.RequestBody)
	}
	return most
}

// Pick chooses the Version for a request. overrides is the value of the header
// Cloudflare-Workers-Version-Overrides, a dictionary (RFC 8941) of Functions and
// Versions, which counts if that Version is in the Deployment. Requests with the
// same key, from Cloudflare-Workers-Version-Key, get the same Version as long as the
// percentages stay; without a key it is drawn. Both may be empty.
// https://developers.cloudflare.com/workers/configuration/versions-and-deployments/gradual-deployments/
func (s *Serving) Pick(key, overrides []byte) *Active {
	if !s.Shared() {
		return s.Main()
	}
	if a := s.override(overrides); a != nil {
		return a
	}
	return s.at(percentOf(key))
}

// at is the Version that has a point of 0 to 99.
func (s *Serving) at(point int) *Active {
	for _, v := range s.versions {
		if point -= v.percentage; point < 0 {
			return v.active
		}
	}
	return s.Main()
}

func percentOf(key []byte) int {
	if len(key) == 0 {
		return rand.IntN(100)
	}
	h := fnv.New32a()
	h.Write(key)
	return int(h.Sum32() % 100)
}

// override is the Version that a request asks for. What can't be parsed asks for
// nothing (RFC 8941, section 4.2).
func (s *Serving) override(header []byte) *Active {
	if len(header) == 0 {
		return nil
	}
	return s.find(requested(header, s.function))
}

// requested is the id of a Version that a dictionary has for a Function, or "".
func requested(header []byte, function string) string {
	dictionary, err := httpsfv.UnmarshalDictionary([]string{string(header)})
	if err != nil {
		return ""
	}
	member, ok := dictionary.Get(function)
	if !ok {
		return ""
	}
	item, ok := member.(httpsfv.Item)
	if !ok {
		return ""
	}
	id, _ := item.Value.(string)
	return id
}

// find is a Version of the Deployment; nil if it has none with that id.
func (s *Serving) find(id string) *Active {
	for _, v := range s.versions {
		if v.active.VersionID == id {
			return v.active
		}
	}
	return nil
}

// actives are those that serve.
func (s *Serving) actives() (list []*Active) {
	for _, v := range s.versions {
		list = append(list, v.active)
	}
	return list
}

// ready says whether requests would find the code of all Versions in memory, or as it
// was before.
func (s *Serving) ready(before *deployed) bool {
	for _, v := range s.versions {
		if v.active.ready.Load() == nil && !before.live.has(v.active.residence) {
			return false
		}
	}
	return true
}

// has says whether one of the Versions runs there.
func (s *Serving) has(r *residence) bool {
	for _, v := range s.versions {
		if v.active.residence == r {
			return true
		}
	}
	return false
}
